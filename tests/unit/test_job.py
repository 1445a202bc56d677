"""What a process is in the job: names, settings, defaults."""

import dataclasses
import os
import pickle

import pytest

from scoop_mpi.base import context
from scoop_mpi.base.job import BrokerInfo, Job, Settings, WorkerName, worker_name
from scoop_mpi.base.messages import ROOT
from scoop_mpi.launch.options import parse

# -- names -----------------------------------------------------------------


def test_a_workers_name_is_a_pair_of_texts():
    # SCOOP's manual, section 2.4.4: "2-tuple. Unique identifier of the current instance".
    name = worker_name(3)
    assert isinstance(name, tuple)
    assert len(name) == 2
    assert all(isinstance(part, str) for part in name)
    assert name == WorkerName(name[0], name[1])


def test_text_of_a_name_is_its_first_part():
    name = worker_name(3)
    assert str(name) == f"{name}" == f"{name!s}" == name[0]
    assert "{}".format(name) == name[0]


def test_names_are_unique():
    names = [worker_name(rank) for rank in range(1, 200)]
    assert len(set(names)) == len({str(name) for name in names}) == len(names)
    assert len({name.broker for name in names}) == 1


def test_names_are_the_same_on_every_rank():
    assert pickle.loads(pickle.dumps(worker_name(7))) == worker_name(7)
    assert hash(worker_name(7)) == hash(worker_name(7))


@pytest.mark.parametrize("arguments", [(), ("utf-8",), ("utf-8", "strict")])
def test_a_name_as_programs_decode_it(arguments):
    assert worker_name(2).decode(*arguments) == str(worker_name(2))


def test_the_brokers_description_has_scoops_fields():
    assert BrokerInfo._fields == ("hostname", "task_port", "info_port", "externalHostname")


# -- settings --------------------------------------------------------------


@pytest.mark.parametrize("settings, arguments", [
    (Settings(), []),
    (Settings(verbosity=1), ["-v"]),
    (Settings(verbosity=3), ["-vvv"]),
    (Settings(verbosity=-2), ["-qq"]),
    (Settings(alias=False), ["--no-scoop-alias"]),
    (Settings(strict=True), ["--strict"]),
    (Settings(debug=True), ["--debug"]),
    (Settings(profile=True), ["--profile"]),
    (Settings(interactive=True), ["--interactive"]),
    (Settings(timeout_s=60), ["--timeout=60"]),
    (Settings(timeout_s=0.25), ["--timeout=0.25"]),
    (Settings(timeout_s=86400 * 30 + 1), ["--timeout=2592001"]),
    (Settings(nice=0), ["--nice=0"]),
    (Settings(nice=-20), ["--nice=-20"]),
    (Settings(threads=1), ["--threads=1"]),
    (Settings(threads=1000000), ["--threads=1000000"]),
    (Settings(json=True), ["--json"]),
    (Settings(1, False, True, True, True, True),
     ["-v", "--no-scoop-alias", "--strict", "--debug", "--profile", "--interactive"]),
])
def test_settings_as_options(settings, arguments):
    assert settings.arguments() == arguments
    # The ranks read them with the same parser.
    assert parse([*arguments, "prog.py"])[1] == settings


def test_every_setting_travels_to_the_ranks():
    for field in dataclasses.fields(Settings):
        numbers = ("verbosity", "timeout_s", "nice", "threads")
        changed = 1 if field.name in numbers else not field.default
        settings = dataclasses.replace(Settings(), **{field.name: changed})
        assert settings.arguments(), field.name
        assert parse([*settings.arguments(), "prog.py"])[1] == settings


# -- the job ---------------------------------------------------------------


def test_a_job_without_a_launcher(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    job = Job()
    assert (job.rank, job.workers, job.running, job.program) == (ROOT, 1, False, "")
    assert job.broker_host == os.uname().nodename
    assert job.directory == os.getcwd()
    assert job.settings == Settings()


@pytest.mark.parametrize("made", [Job(), Settings()], ids=["job", "settings"])
def test_nobody_changes_them(made):
    for field in dataclasses.fields(made):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field.name, None)


def test_the_job_of_this_process(monkeypatch):
    monkeypatch.setattr(context, "_job", context.job())  # puts it back at the end
    job = Job(rank=4, workers=9)
    context.set_job(job)
    assert context.job() is job
