"""Which files of the Keptn repository a task's `files` are."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from execution_plane.clock import Deadline
from execution_plane.keptn.events import EventRef, read_triggered
from local.keptn.faults import Answer
from local.keptn.resources import NO_CREDENTIALS, Place
from runners.containers import files
from runners.containers.files import Repository
from runners.containers.unpack import UNPACK
from runs.work import TaskUnusable
from tests.support.world import SAYHELLO, World

SERVICE = Place("podtato", "dev", "head")
STAGE = Place("podtato", "dev")
PROJECT = Place("podtato")


@pytest.fixture
def ref(world: World) -> EventRef:
    world.keptn.resources.write(
        SERVICE, {"load.js": b"old", "helm/a.yaml": b"a", "helm/deep/b.bin": bytes(range(256))}
    )
    world.keptn.resources.write(SERVICE, {"helm-abc/c": b"c", "helmDEF": b"d", "helm dir/e+%": b"e"})
    world.keptn.resources.write(STAGE, {"load.js": b"of the stage", "stage.txt": b"stage"})
    world.keptn.resources.write(PROJECT, {"stage.txt": b"of the project", "project/x": b"project"})
    world.trigger()
    (event,) = world.keptn.open_events(SAYHELLO)
    return read_triggered(event).ref


def fetch(world: World, ref: EventRef, *entries: str, seconds: float = 60.0) -> Mapping[str, bytes]:
    deadline = Deadline.after(world.clock, seconds)
    return Repository(world.client(), world.clock, ref, deadline).fetch("Load", entries)


@pytest.mark.parametrize("entry", ["load.js", "/load.js"])
def test_a_file_is_the_services_before_the_stages(world: World, ref: EventRef, entry: str) -> None:
    assert fetch(world, ref, entry) == {"load.js": b"old"}


@pytest.mark.parametrize("entry", ["helm", "/helm", "helm/"])
def test_a_directory_is_all_that_is_below_it_and_nothing_beside_it(
    world: World, ref: EventRef, entry: str
) -> None:
    assert fetch(world, ref, entry) == {"helm/a.yaml": b"a", "helm/deep/b.bin": bytes(range(256))}


def test_a_name_with_odd_characters_is_found(world: World, ref: EventRef) -> None:
    assert fetch(world, ref, "helm dir") == {"helm dir/e+%": b"e"}


def test_what_the_service_has_not_is_the_stages_then_the_projects(world: World, ref: EventRef) -> None:
    assert fetch(world, ref, "stage.txt", "project", "load.js") == {
        "stage.txt": b"stage",
        "project/x": b"project",
        "load.js": b"old",
    }


def test_files_are_as_they_were_when_the_sequence_was_triggered(world: World, ref: EventRef) -> None:
    world.keptn.resources.write(SERVICE, {"load.js": b"new", "helm/a.yaml": b"new", "helm/later": b"new"})

    assert fetch(world, ref, "load.js", "helm") == {
        "load.js": b"old",
        "helm/a.yaml": b"a",
        "helm/deep/b.bin": bytes(range(256)),
    }
    assert fetch(world, replace(ref, commit=""), "load.js") == {"load.js": b"new"}


def test_a_directory_of_many_files_is_whole(world: World, ref: EventRef) -> None:
    many = {f"many/{number:03}": b"x" for number in range(250)}
    commit = world.keptn.resources.write(SERVICE, many)

    assert fetch(world, replace(ref, commit=commit), "many") == many


@pytest.mark.parametrize("entry", ["nowhere", "helm/deep/nothing", "hel", "", "/"])
def test_what_is_nowhere_is_named(world: World, ref: EventRef, entry: str) -> None:
    with pytest.raises(TaskUnusable) as refused:
        fetch(world, ref, "load.js", entry)

    assert str(refused.value) == f"could not find file or directory {entry} for task Load"


def test_files_over_the_limit_are_refused(
    world: World, ref: EventRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files.MOST_BYTES == 20 * 1024 * 1024
    monkeypatch.setattr(files, "MOST_BYTES", 259)

    assert len(fetch(world, ref, "helm", "helm/a.yaml")) == 2
    with pytest.raises(TaskUnusable, match="The files of task Load are over 259 bytes"):
        fetch(world, ref, "helm", "load.js")


def test_a_keptn_that_fails_for_seconds_is_waited_for(world: World, ref: EventRef) -> None:
    world.keptn.faults.add(Answer(502), "service/head/resource", times=2)

    assert fetch(world, ref, "load.js") == {"load.js": b"old"}


def test_a_keptn_that_fails_does_not_make_another_levels_file_be_taken(world: World, ref: EventRef) -> None:
    world.keptn.faults.add(Answer(502), "service/head/resource/")

    with pytest.raises(TaskUnusable, match="The task's files could not be read"):
        fetch(world, ref, "load.js")


@pytest.mark.parametrize("path", ["service/head/resource/", r"service/head/resource\?"])
def test_a_repository_that_is_out_of_reach_does_not_make_another_levels_file_be_taken(
    world: World, ref: EventRef, path: str
) -> None:
    world.keptn.faults.add(
        Answer(404, f'{{"code":404,"message":"{NO_CREDENTIALS}"}}', "application/json"), path
    )

    with pytest.raises(TaskUnusable, match=f"The task's files could not be read: .*404 {NO_CREDENTIALS}"):
        fetch(world, ref, "load.js")


def test_files_that_take_too_long_are_given_up(world: World, ref: EventRef) -> None:
    with pytest.raises(TaskUnusable, match="could not be fetched in time"):
        fetch(world, ref, "load.js", seconds=0.0)


def test_a_folder_for_no_files_is_opened_to_any_user_without_boto3(tmp_path: Path) -> None:
    folder = tmp_path / "keptn"
    folder.mkdir(mode=0o755)

    subprocess.run([sys.executable, "-I", "-S", "-c", UNPACK, str(folder)], check=True)

    assert folder.stat().st_mode & 0o777 == 0o777
