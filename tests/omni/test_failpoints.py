"""Named places where a test may hurt the process; nothing happens unless one is armed."""

import subprocess
import sys
import time

import pytest
from django.core.exceptions import ImproperlyConfigured

from omni import failpoints


@pytest.mark.parametrize("armed", ["", "other:raise"])
def test_point_that_is_not_armed_does_nothing(settings, armed):
    settings.OMNI_FAILPOINT = armed

    failpoints.hit("here")


def test_armed_point_raises(settings):
    settings.OMNI_FAILPOINT = "here:raise"

    with pytest.raises(failpoints.FailpointReached, match="here"):
        failpoints.hit("here")


def test_point_may_be_armed_for_one_of_its_times(settings):
    settings.OMNI_FAILPOINT = "numbered:raise:2"
    failpoints.hit("numbered")

    with pytest.raises(failpoints.FailpointReached):
        failpoints.hit("numbered")

    failpoints.hit("numbered")


def test_armed_point_delays(settings):
    settings.OMNI_FAILPOINT = "here:sleep:0.05"
    started = time.monotonic()

    failpoints.hit("here")

    assert time.monotonic() - started >= 0.05


def test_armed_point_kills_the_process():
    code = ("from django.conf import settings; settings.configure(OMNI_FAILPOINT='here:kill', "
            "OMNI_TEST_MODE=True); from omni import failpoints; failpoints.hit('here')")

    done = subprocess.run([sys.executable, "-c", code], timeout=30)

    assert done.returncode == -9


def test_nothing_can_be_armed_outside_of_tests(settings):
    settings.OMNI_FAILPOINT, settings.OMNI_TEST_MODE = "here:kill", False

    with pytest.raises(ImproperlyConfigured, match="OMNI_TEST_MODE"):
        failpoints.hit("here")


@pytest.mark.parametrize("armed", ["here", "here:explode", "here:"])
def test_unknown_effect_is_refused(settings, armed):
    settings.OMNI_FAILPOINT = armed

    with pytest.raises(ImproperlyConfigured, match="is not one of"):
        failpoints.hit("here")
