"""What a schedule may say."""

import pytest

from registry.schedules import cron_trouble, zone_trouble


@pytest.mark.parametrize("line", ["0 9 * * 1", "*/5 * * * *", "0 0 1,15 * *", "30 8-18/2 * jan mon",
                                  "0 9 * * mon-fri", "59 23 31 12 7"])
def test_cron_lines_of_five_fields_pass(line):
    assert cron_trouble(line) == ""


@pytest.mark.parametrize(("line", "trouble"), [
    ("0 9 * *", "needs five fields: minute hour day month weekday, like '0 9 * * 1'"),
    ("60 9 * * *", "'60' is not a minute, 0 to 59"),
    ("0 24 * * *", "'24' is not a hour, 0 to 23"),
    ("0 9 0 * *", "'0' is not a day, 1 to 31"),
    ("0 9 * 13 *", "'13' is not a month, 1 to 12"),
    ("0 9 * * xyz", "'xyz' is not a weekday, 0 to 7"),
    ("jan 9 * * *", "'jan' is not a minute, 0 to 59"),
    ("a;b 9 * * *", "'a;b' is not a minute, 0 to 59"),
])
def test_wrong_cron_lines_name_the_field(line, trouble):
    assert cron_trouble(line) == trouble


def test_a_time_zone_must_exist():
    assert zone_trouble("America/Sao_Paulo") == ""
    assert zone_trouble("Mars/Base") == ("'Mars/Base' is not a time zone; write one like "
                                         "America/Sao_Paulo")
