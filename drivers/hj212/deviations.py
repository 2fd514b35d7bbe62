"""How frames may differ from the standard and still be taken: a closed list.

Each was seen in public frames of real devices, or stands in the standard's own
examples; what is not here is refused. Every one that is met is counted under its name.
None touches what a value means: length and check hold all the same, names and numbers
are read as they stand.
"""

from __future__ import annotations

from enum import StrEnum


class Deviation(StrEnum):
    """A known difference; ``docs/hj212-instruments.md`` says what each one is."""

    LOWER_CASE_CRC = "lower_case_crc"
    NO_TAIL = "no_tail"
    PRINTED_TAIL = "printed_tail"
    LENGTH_IN_CHARACTERS = "length_in_characters"
    LONG_SEGMENT = "long_segment"
    NO_QN = "no_qn"
    NO_FLAG = "no_flag"
    FLAG_UPPER_CASE = "flag_upper_case"
    FLAG_WITHOUT_NUMBERS = "flag_without_numbers"
    ST_THREE_DIGITS = "st_three_digits"
    PW_FORM = "pw_form"
    MN_FORM = "mn_form"
    MN_EMPTY = "mn_empty"
    NUMBERS_AFTER_QN = "numbers_after_qn"
    COMMA_BETWEEN_FIELDS = "comma_between_fields"
    SEMICOLON_COMMA = "semicolon_comma"
    NO_SEMICOLON_BEFORE_CP = "no_semicolon_before_cp"
    TRAILING_SEMICOLON = "trailing_semicolon"
    COMMA_BETWEEN_ITEMS = "comma_between_items"
    ITEM_SPLIT = "item_split"
    BLANKS = "blanks"
    TIME_WITH_MILLISECONDS = "time_with_milliseconds"
    TD_FOR_RTD = "td_for_rtd"
    CTIME_CASE = "ctime_case"


class Refusal(StrEnum):
    """Why a frame was not taken."""

    LENGTH = "length"
    CRC = "crc"
    CUT_SHORT = "cut_short"
    TEXT = "text"
    GRAMMAR = "grammar"
    QN = "qn"
    ST = "st"
    COMMAND = "command"
    PW = "pw"
    MN = "mn"
    FLAG = "flag"
    PACKET_NUMBERS = "packet_numbers"
    RF = "rf"
    FIELD = "field"
    DUPLICATE = "duplicate"
    VALUE = "value"
    TIME = "time"
    NO_DATA_TIME = "no_data_time"
