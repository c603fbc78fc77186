from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_enrichers.addresses import RangeIndex, Span, pack, parse_span, span, unpack

V4_MAPPED = 0xFFFF << 32


def packed(text: str) -> bytes:
    address = pack(text)
    assert address is not None
    return address


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.0.0.0", "0.0.0.0"),
        ("10.0.0.255", "10.0.0.255"),
        ("::", "::"),
        ("::1", "::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:0A00:0001", "10.0.0.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_addresses_have_one_packed_form(text: str, canonical: str) -> None:
    assert len(packed(text)) == 16
    assert packed(text) == packed(canonical)
    assert unpack(packed(text)) == canonical


NO_ADDRESSES = """1.2.3 1.2.3.4.5 256.0.0.1 01.2.3.4 127.1 0x7f.0.0.1 1.2.3.4/32 1.2.3.4:80 - host
    fe80::1%eth0 fe80::1%1 [::1] ::1:: 1.2.3.\u0664"""


@pytest.mark.parametrize(
    "text", [*NO_ADDRESSES.split(), "", "1.2.3.4 ", "1.2.3.4\0", "::1\n", "\ud800", "a" * 70_000]
)
def test_what_is_no_address_packs_to_none(text: str) -> None:
    assert pack(text) is None


BROKEN_SPANS = """- / host 10.0.0.0/33 10.0.0.0/-1 10.0.0.0/ 10.0.0.0/8/8 10.0.0/8 10.0.0.0/\u0668
    10.0.0.0/255.0.0.0 2001:db8::/129 10.0.0.9-10.0.0.1 10.0.0.1- 10.0.0.1-10.0.0.2-10.0.0.3
    10.0.0.1-2001:db8:: ::-10.0.0.1 10.0.0.1/24-10.0.0.9"""


@pytest.mark.parametrize("text", [*BROKEN_SPANS.split(), "", "10.0.0.0/" + "9" * 5000])
def test_broken_spans(text: str) -> None:
    with pytest.raises(ValueError, match=r" is not a"):
        parse_span(text)


def lookup(spans: Sequence[str], addresses: Sequence[str]) -> list[int]:
    index = RangeIndex([parse_span(text) for text in spans])
    return [int(at) for at in index.lookup([pack(address) for address in addresses])]


def test_no_ranges_and_no_addresses() -> None:
    assert lookup([], ["10.0.0.1", "::1", "none"]) == [-1, -1, -1]
    assert lookup(["10.0.0.1"], []) == []


def test_both_ends_are_included_and_neighbours_do_not_bleed() -> None:
    spans = ["10.0.0.2-10.0.0.5", "10.0.0.6-10.0.0.7"]
    addresses = [f"10.0.0.{host}" for host in range(1, 9)]
    assert lookup(spans, addresses) == [-1, 0, 0, 0, 0, 1, 1, -1]


def test_the_narrowest_range_wins_and_of_equal_ones_the_last() -> None:
    spans = ["10.0.0.7", "10.0.0.0/24", "10.0.0.7", "10.0.0.0/8", "10.0.0.0-10.0.0.255"]
    assert lookup(spans, ["10.0.0.7", "10.0.0.8", "10.9.9.9", "11.0.0.0"]) == [2, 4, 3, -1]


def test_the_wider_range_goes_on_after_the_narrower_one() -> None:
    assert lookup(["10.0.0.0/24", "10.0.0.16/28"], ["10.0.0.15", "10.0.0.16", "10.0.0.32"]) == [
        0,
        1,
        0,
    ]


def test_of_overlapping_ranges_of_one_width_the_last_wins() -> None:
    spans = ["10.0.0.5-10.0.0.9", "10.0.0.1-10.0.0.5"]
    assert lookup(spans, ["10.0.0.5", "10.0.0.6", "10.0.0.4"]) == [1, 0, 1]


def test_ranges_touch_both_ends_of_the_address_space() -> None:
    last = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    assert lookup(["::/1", "8000::/1"], ["::", "7fff::", "8000::", last]) == [0, 0, 1, 1]


def test_what_is_no_address_lies_in_no_range() -> None:
    assert lookup(["::/0", "0.0.0.0/0"], ["host", ""]) == [-1, -1]


def test_ipv6_ranges_hold_no_ipv4_and_the_other_way_round() -> None:
    addresses = ["10.0.0.1", "::ffff:10.0.0.1", "::a00:1", "2001:db8::1"]
    assert lookup(["::/0"], addresses) == [-1, -1, 0, 0]
    assert lookup(["0.0.0.0/0"], addresses) == [0, 0, -1, -1]
    assert lookup(["::/0", "10.0.0.0/8"], addresses) == [1, 1, 0, 0]


def number(address: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    v6 = ipaddress.IPv6Address(address)
    return v6.ipv4_mapped or v6


def narrowest(spans: Sequence[Span], address: bytes) -> int:
    """The slow and obvious way."""
    best = -1
    for at, (first, last) in enumerate(spans):
        sought, low, high = number(address), number(first), number(last)
        inside = sought.version == low.version and int(low) <= int(sought) <= int(high)
        if inside and (best < 0 or int(high) - int(low) <= width(spans[best])):
            best = at
    return best


def width(of: Span) -> int:
    return int(number(of[1])) - int(number(of[0]))


def spans_of(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[list[Span]]:
    def make(ends: tuple[int, int]) -> Span:
        first, last = sorted(ends)
        return span(first.to_bytes(16), last.to_bytes(16))

    def one_family(ends: tuple[int, int]) -> bool:
        return len({end >> 32 == 0xFFFF for end in ends}) == 1

    pairs = st.tuples(numbers, numbers)
    return st.lists(pairs.filter(one_family).map(make), max_size=12)


# Few numbers around the places where something changes, so that ranges meet, nest and cross.
NUMBERS = st.one_of(
    st.integers(0, 9),
    st.integers(V4_MAPPED - 2, V4_MAPPED + 9),
    st.integers((V4_MAPPED | 0xFFFFFFFF) - 2, (V4_MAPPED | 0xFFFFFFFF) + 2),
    st.integers((1 << 64) - 3, (1 << 64) + 3),
    st.integers((1 << 128) - 4, (1 << 128) - 1),
    st.integers(0, (1 << 128) - 1),
)


@settings(max_examples=400, deadline=None)
@given(spans_of(NUMBERS), st.lists(NUMBERS, max_size=20))
def test_lookup_agrees_with_the_slow_way(spans: list[Span], numbers: list[int]) -> None:
    addresses = [*(n.to_bytes(16) for n in numbers), *(end for ends in spans for end in ends)]
    expected = [narrowest(spans, address) for address in addresses]
    assert RangeIndex(spans).lookup(addresses).tolist() == expected
