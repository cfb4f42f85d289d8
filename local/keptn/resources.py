"""The resource service: the files of projects, stages and services, and every commit of them."""

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

DEFAULT_BRANCH = "main"
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


class ResourceService:
    """All projects' repositories, in memory."""

    def __init__(self) -> None:
        self._repositories: dict[str, _Repository] = {}
        self._out_of_reach: dict[str, str] = {}

    def create_project(self, project: str, stages: list[str], shipyard: str) -> None:
        """A repository with a branch for each stage; the shipyard lies in the default branch only."""
        self._repositories[project] = _Repository()
        self._commit(project, DEFAULT_BRANCH, {"metadata.yaml": f"projectname: {project}\n".encode()})
        for stage in stages:
            self._commit(project, stage, self._repositories[project].files(DEFAULT_BRANCH))
        self.write(Place(project), {"shipyard.yaml": shipyard.encode()})

    def create_service(self, project: str, stage: str, service: str) -> None:
        """A service is a directory; git keeps it because of its metadata."""
        files = {f"{service}/metadata.yaml": f"servicename: {service}\n".encode()}
        self._commit(project, stage, {**self._repositories[project].files(stage), **files})

    def delete_service(self, project: str, stage: str, service: str) -> None:
        """Remove a service's directory."""
        files = self._repositories[project].files(stage)
        kept = {path: content for path, content in files.items() if not path.startswith(f"{service}/")}
        self._commit(project, stage, kept)

    def drop_project(self, project: str) -> None:
        """Forget a project."""
        self._repositories.pop(project, None)

    def lose_upstream(self, project: str, message: str) -> None:
        """Answer everything about a project with 404 and NO_CREDENTIALS or NO_UPSTREAM, until it is found."""
        self._out_of_reach[project] = message

    def find_upstream(self, project: str) -> None:
        """Have a project's git repository in reach again."""
        self._out_of_reach.pop(project, None)

    def head(self, project: str, branch: str) -> str:
        """The latest commit of a stage; empty if there is none."""
        repository = self._repositories.get(project)
        return repository.heads.get(branch, "") if repository else ""

    def read(self, place: Place, raw_uri: str, commit: str = "") -> tuple[bytes, str]:
        """The content of a resource and the commit it is from.

        `raw_uri` is what the service finds in its path: still escaped once, and `+` means a space. A commit
        is looked up in the whole repository, whichever branch it is on; the literal `""` counts as none.

        Raises ResourceError.
        """
        _refuse_odd(raw_uri)
        repository, branch, directory = self._open(place)
        commit = "" if commit == '""' else commit
        if commit and commit not in repository.commits:
            raise ResourceError(500, "Internal server error")
        version = commit or repository.heads[branch]
        files = repository.commits[version]
        path = _path(directory, unquote_plus(raw_uri))
        if path in files:
            return files[path], version
        if path == "." or any(each.startswith(f"{path}/") for each in files):
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
        """The URIs at a place, with a leading slash; what has `.git` anywhere in its path is hidden.

        A stage's list has the directories of its services.

        Raises ResourceError.
        """
        repository, branch, directory = self._open(place)
        prefix = f"{directory}/" if directory else ""
        paths = sorted(repository.files(branch), key=lambda path: path.split("/"))
        return [
            f"/{path.removeprefix(prefix)}"
            for path in paths
            if path.startswith(prefix) and ".git" not in path
        ]

    def _open(self, place: Place) -> tuple[_Repository, str, str]:
        if place.project in self._out_of_reach:
            raise ResourceError(404, self._out_of_reach[place.project])
        repository = self._repositories.get(place.project)
        if repository is None:
            raise ResourceError(404, NO_CREDENTIALS)  # they are looked for before the project is
        branch = place.stage or DEFAULT_BRANCH
        if branch not in repository.heads:
            raise ResourceError(404, "Stage not found")
        if place.service and f"{place.service}/metadata.yaml" not in repository.files(branch):
            raise ResourceError(404, "Service not found")
        return repository, branch, place.service

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
