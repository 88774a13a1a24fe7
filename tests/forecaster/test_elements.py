import codecs
import json
import tracemalloc

import pytest

from forecaster import elements as module
from forecaster.elements import TooLongError, UnreadableError, elements
from forecaster.limits import MAX_BODY_BYTES

ANY = [{"a": [1.25, -3e-7, None]}, 12345.678, -1, True, 'Bodø 🌊 \\ " ]', [], {}, [[1, {"]": "[,"}]], "", 0]


@pytest.mark.parametrize("at_once", [1, 2, 7, 50, 1_000_000])
@pytest.mark.parametrize("separators", [(",", ":"), (" ,\r\n ", "\t: ")])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_list_is_read_alike_wherever_its_pieces_end(
    at_once: int, separators: tuple[str, str], mark: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE_BYTES", at_once)
    for ascii_only in (True, False):
        body = mark + json.dumps(ANY, separators=separators, ensure_ascii=ascii_only).encode() + b" \n"
        assert list(elements(body)) == list(elements(bytearray(body))) == ANY
    assert list(elements(mark + b" [ ] ")) == []


@pytest.mark.parametrize("at_once", [1, 3, 1_000_000])
@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"[1", b"[1,", b"[1,]", b"[1 2]", b"[1]]", b"[1]\x0b", b"[]x", b"{}", b'["\xff"]', b'["a]', b"\xef"],
)
def test_what_is_no_list_is_refused_wherever_its_pieces_end(
    body: bytes, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE_BYTES", at_once)
    with pytest.raises(UnreadableError):
        list(elements(body))


def test_an_element_may_have_five_megabytes_and_no_more() -> None:
    assert [len(str(one)) for one in elements(json.dumps([1, "x" * (MAX_BODY_BYTES - 2), 2]).encode())][1] > 5_000_000
    for wrong in ([1, "x" * MAX_BODY_BYTES, 2], ["x" * 3 * MAX_BODY_BYTES]):
        with pytest.raises(TooLongError):
            list(elements(json.dumps(wrong).encode()))


def test_one_wide_character_makes_a_long_body_no_larger() -> None:
    body = json.dumps(["🌊", *["x" * 10_000] * 1600], ensure_ascii=False).encode()
    tracemalloc.start()
    assert sum(1 for _ in elements(body)) == 1601
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(body)
