"""The resource service: the files of projects, stages and services, and every commit of them."""

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

DEFAULT_BRANCH = "main"
_SHORTEST_ID = 4  # letters
_STAGES = ".keptn-stages"
NO_CREDENTIALS = "Could not find credentials for upstream repository"
NO_UPSTREAM = "Upstream repository not found"

Files = Mapping[str, bytes]


class ResourceError(Exception):
    """Something that the resource service answers with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Place:
    """Where a resource lies: in a project, in a stage of it, or in a service of a stage."""

    project: str
    stage: str = ""
    service: str = ""


@dataclass
class _Repository:
    """One project's git repository: a branch for each stage, and all commits."""

    heads: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Files] = field(default_factory=dict)

    def files(self, branch: str) -> Files:
        """The files at the head of a branch."""
        return self.commits[self.heads[branch]]

    def has(self, branch: str, directory: str) -> bool:
        """Whether there is a directory of a stage's or a service's at the head of a branch."""
        return f"{directory}/metadata.yaml" in self.files(branch)

    def resolve(self, revision: str, branch: str) -> str | None:
        """The commit that a revision stands for, None if there is none; HEAD is that of `branch`."""
        named = {**self.heads, "HEAD": self.heads[branch]}.get(revision, revision)
        fitting = [commit for commit in self.commits if commit.startswith(named)]
        return fitting[0] if len(fitting) == 1 and len(named) >= _SHORTEST_ID else None


class ResourceService:
    """All projects' repositories, in memory."""

    def __init__(self) -> None:
        self.has_stage_directories = False
        """Whether new projects have a directory for each stage, in one branch (DIRECTORY_STAGE_STRUCTURE)."""
        self._repositories: dict[str, _Repository] = {}
        self._out_of_reach: dict[str, str] = {}

    def create_project(self, project: str, stages: list[str], shipyard: str) -> None:
        """A repository with a branch for each stage; the shipyard lies in the default branch only."""
        repository = self._repositories[project] = _Repository()
        self._commit(project, DEFAULT_BRANCH, {"metadata.yaml": f"projectname: {project}\n".encode()})
        for stage in stages:
            branch, directory = self._where(Place(project, stage))
            files = repository.files(DEFAULT_BRANCH)
            more = {_path(directory, "metadata.yaml"): f"stagename: {stage}\n".encode()} if directory else {}
            self._commit(project, branch, {**files, **more})
        self.write(Place(project), {"shipyard.yaml": shipyard.encode()})

    def create_service(self, project: str, stage: str, service: str) -> None:
        """A service is a directory; git keeps it because of its metadata."""
        branch, directory = self._where(Place(project, stage, service))
        files = {f"{directory}/metadata.yaml": f"servicename: {service}\n".encode()}
        self._commit(project, branch, {**self._repositories[project].files(branch), **files})

    def delete_service(self, project: str, stage: str, service: str) -> None:
        """Remove a service's directory."""
        branch, directory = self._where(Place(project, stage, service))
        files = self._repositories[project].files(branch)
        kept = {path: content for path, content in files.items() if not path.startswith(f"{directory}/")}
        self._commit(project, branch, kept)

    def drop_project(self, project: str) -> None:
        """Forget a project."""
        self._repositories.pop(project, None)

    def lose_upstream(self, project: str, message: str) -> None:
        """Answer everything about a project with 404 and NO_CREDENTIALS or NO_UPSTREAM, until it is found."""
        self._out_of_reach[project] = message

    def find_upstream(self, project: str) -> None:
        """Have a project's git repository in reach again."""
        self._out_of_reach.pop(project, None)

    def head(self, project: str, stage: str = "") -> str:
        """The latest commit of a stage, or of the project's own files; empty if there is none."""
        repository = self._repositories.get(project)
        branch, _ = self._where(Place(project, stage))
        return repository.heads.get(branch, "") if repository else ""

    def read(self, place: Place, raw_uri: str, commit: str = "") -> tuple[bytes, str]:
        """The content of a resource and the commit it is from.

        `raw_uri` is what the service finds in its path: still escaped once, and `+` means a space. A commit
        may be any revision, which is looked up in the whole repository, whichever branch it is on, and is
        given back as it is; the literal `""` counts as none.

        Raises ResourceError.
        """
        _refuse_odd(raw_uri)
        repository, branch, directory = self._open(place)
        commit = "" if commit == '""' else commit
        version = repository.resolve(commit, branch) if commit else repository.heads[branch]
        if version is None:
            raise ResourceError(500, "Internal server error")
        files = repository.commits[version]
        path = _path(directory, unquote_plus(raw_uri))
        if path in files:
            return files[path], commit or version
        is_directory = path == "." or any(each.startswith(f"{path}/") for each in files)
        if is_directory and not commit:  # of a commit, it reads no file system
            raise ResourceError(500, "Internal server error")
        raise ResourceError(404, "Resource not found")

    def write(self, place: Place, resources: Mapping[str, bytes]) -> str:
        """Store resources by URI; gives the id of the new commit.

        Raises ResourceError.
        """
        for uri in resources:
            _refuse_odd(uri)
        repository, branch, directory = self._open(place)
        written = {_path(directory, uri): content for uri, content in resources.items()}
        return self._commit(place.project, branch, {**repository.files(branch), **written})

    def delete(self, place: Place, raw_uri: str) -> str:
        """Remove a resource; gives the id of the new commit.

        Raises ResourceError.
        """
        _refuse_odd(raw_uri)
        repository, branch, directory = self._open(place)
        path = _path(directory, unquote_plus(raw_uri))
        files = repository.files(branch)
        if path not in files:
            raise ResourceError(404, "Resource not found")
        return self._commit(place.project, branch, {each: files[each] for each in files if each != path})

    def uris(self, place: Place) -> list[str]:
        """The URIs at a place, with a leading slash; what has `.git` anywhere in its path, be it in
        the name of the project, is hidden.

        A stage's list has the directories of its services, a project's none of its stages.

        Raises ResourceError.
        """
        repository, branch, directory = self._open(place)
        prefix = f"{directory}/" if directory else ""
        paths = sorted(repository.files(branch), key=lambda path: path.split("/"))
        return [
            f"/{path.removeprefix(prefix)}"
            for path in paths
            if path.startswith(prefix)
            and ".git" not in f"{place.project}/{path}"
            and _STAGES not in path.removeprefix(prefix)
        ]

    def _open(self, place: Place) -> tuple[_Repository, str, str]:
        if place.project in self._out_of_reach:
            raise ResourceError(404, self._out_of_reach[place.project])
        repository = self._repositories.get(place.project)
        if repository is None:
            raise ResourceError(404, NO_CREDENTIALS)  # they are looked for before the project is
        branch, directory = self._where(Place(place.project, place.stage))
        if branch not in repository.heads or (directory and not repository.has(branch, directory)):
            raise ResourceError(404, "Stage not found")
        branch, directory = self._where(place)
        if place.service and not repository.has(branch, directory):
            raise ResourceError(404, "Service not found")
        return repository, branch, directory

    def _where(self, place: Place) -> tuple[str, str]:
        """The branch and the directory of a place."""
        if not self.has_stage_directories:
            return place.stage or DEFAULT_BRANCH, place.service
        return DEFAULT_BRANCH, _path(_STAGES, f"{place.stage}/{place.service}") if place.stage else ""

    def _commit(self, project: str, branch: str, files: Files) -> str:
        repository = self._repositories[project]
        seed = f"{project}/{branch}/{len(repository.commits)}"
        commit = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
        repository.commits[commit] = files
        repository.heads[branch] = commit
        return commit


def _refuse_odd(uri: str) -> None:
    if "~" in uri or ".." in uri:
        raise ResourceError(400, "invalid resource uri")


def _path(directory: str, uri: str) -> str:
    return posixpath.normpath(posixpath.join(directory, uri.lstrip("/")))
