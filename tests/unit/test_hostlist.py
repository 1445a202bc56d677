"""Lists of hosts, hostfiles, and how workers are divided among hosts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_mpi import LaunchError
from scoop_mpi.hosts import hostlist
from scoop_mpi.hosts.hostlist import Host, divide, expand, merge, parse_hostfile, parse_names

GENEROUS_S = 10
"""For what takes a fraction of a second; what grows with the square takes many minutes."""

# -- host lists ------------------------------------------------------------


@pytest.mark.parametrize("text, names", [
    ("", ""),
    ("n1", "n1"),
    ("a,b,a", "a b a"),
    (" a , b ,", "a b"),
    ("n[1-3]", "n1 n2 n3"),
    ("n[01-03,7],login", "n01 n02 n03 n7 login"),
    ("n[8-11]", "n8 n9 n10 n11"),
    ("n[098-101]", "n098 n099 n100 n101"),
    ("n[5]", "n5"),
    ("n[3,1,3]", "n3 n1 n3"),
    ("n[ 1 , 3-4 ]", "n1 n3 n4"),
    ("a[1-2]b[1-2]", "a1b1 a1b2 a2b1 a2b2"),
    ("a[1-2]b[3]c[4,5].site", "a1b3c4.site a1b3c5.site a2b3c4.site a2b3c5.site"),
    ("[1-2]", "1 2"),
    ("[1-2][0,5]", "10 15 20 25"),
    ("x,n[1-2],y[3,4]z,w", "x n1 n2 y3z y4z w"),
    ("knoten-ä[1-2].örtchen", "knoten-ä1.örtchen knoten-ä2.örtchen"),
])
def test_host_lists(text, names):
    assert expand(text) == names.split()


@pytest.mark.parametrize("text", [
    "n[", "n]", "n[1", "n1]", "n[1-2", "n[[1]]", "n[1-2]]", "n]1[", "a,n[1,b", "n[]", "n[,]",
    "n[1,]", "n[a]", "n[1-b]", "n[-1]", "n[1-]", "n[1-2-3]", "n[1.5]", "n[²]", "n[٣]",
    "n[3-1]", "n[1-2,9-8]", "n[1:2]", "n[1;2]", "n[" + "9" * 30 + "]",
])
def test_host_lists_that_cannot_be_read(text):
    with pytest.raises(LaunchError, match="the host list .* cannot be read") as raised:
        expand(text)
    assert repr(text) in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("text", [
    "n[1-1000001]", "n[1-999999999999999999]", "n[1-600000],m[1-600000]",
    "n[0-999]m[0-999]o[0-9]", "n[0-99999,0-999999]",
])
def test_more_hosts_than_there_are(text):
    with pytest.raises(LaunchError, match=f"more than {hostlist.MOST_HOSTS} hosts"):
        expand(text)


@pytest.mark.parametrize("text", [
    "n[" + ",".join(["0-999999"] * 300) + "]",  # 300 million
    "n" + "[0-1]" * 5000,
    ",".join(["[0-9]" * 6] * 300),
])
def test_short_texts_that_mean_very_many(run_python, text):
    # In a process of its own: it may need more memory and time than there is.
    done = run_python(
        "import resource\nresource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))\n"
        "from scoop_mpi import LaunchError\nfrom scoop_mpi.hosts.hostlist import expand\n"
        f"try:\n    expand({text!r})\nexcept LaunchError as error:\n    print(error)\n",
        timeout=GENEROUS_S)
    assert "more than" in done.stdout, done.stderr[-300:]


def test_a_long_list_is_shortened_in_the_message():
    with pytest.raises(LaunchError) as raised:
        expand("n[" + "1," * 10_000)
    assert len(str(raised.value)) < 250


def compressed(names):
    """``names`` as SLURM writes them; each is a prefix and digits."""
    parts = []
    for name in names:
        prefix, digits = re.fullmatch(r"(.*?)([0-9]*)", name).groups()
        if parts and digits and parts[-1][0] == prefix and parts[-1][1]:
            ranges = parts[-1][1]
            first, last = ranges[-1]
            if len(last) == len(digits) == len(first) and int(digits) == int(last) + 1:
                ranges[-1] = (first, digits)
            else:
                ranges.append((digits, digits))
        else:
            parts.append((prefix, [(digits, digits)] if digits else []))
    return ",".join(
        prefix + ("[" + ",".join(first if first == last else f"{first}-{last}"
                                 for first, last in ranges) + "]" if ranges else "")
        for prefix, ranges in parts)


words = st.text("abcxyz-.äé", min_size=1, max_size=6)
names = st.builds("{}{}".format, words, st.from_regex(r"\A[0-9]{0,4}\Z"))


@given(st.lists(names, max_size=40))
def test_a_compressed_list_gives_back_its_names(names):
    assert expand(compressed(names)) == names


@given(words, st.integers(0, 3000), st.integers(0, 300), st.integers(0, 6), words)
def test_a_range_of_padded_numbers(prefix, first, more, width, suffix):
    numbers = [f"{number:0{width}}" for number in range(first, first + more + 1)]
    text = f"{prefix}[{numbers[0]}-{numbers[-1]}]{suffix}"
    assert expand(text) == [f"{prefix}{number}{suffix}" for number in numbers]


@given(st.lists(st.tuples(words, st.lists(st.integers(0, 99), min_size=1, max_size=4)),
                min_size=1, max_size=4))
def test_several_brackets(groups):
    text = "".join(f"{word}[{','.join(map(str, numbers))}]" for word, numbers in groups)
    expected = [""]
    for word, numbers in groups:
        expected = [name + word + str(number) for name in expected for number in numbers]
    assert expand(text) == expected


@given(st.lists(names, min_size=1, max_size=8), st.sampled_from(["", " ", "  ", "\t", "\n"]))
def test_white_space_around_names_means_nothing(names, space):
    assert expand(",".join(f"{space}{name}{space}" for name in names)) == names


awkward = st.text("n01-9[],: #=.\n\r\t\ufeffäslot²", max_size=40)


@given(st.one_of(awkward, st.text(max_size=40)))
def test_any_text_is_a_list_or_an_error(text):
    for read in (expand, lambda text: parse_hostfile(text, "F"), lambda text: parse_names([text])):
        try:
            assert isinstance(read(text), list)
        except LaunchError as error:
            assert str(error)


# -- hostfiles -------------------------------------------------------------


@pytest.mark.parametrize("text, hosts", [
    ("a", [("a", None)]),
    ("a\nb 3\nc\t2\n", [("a", None), ("b", 3), ("c", 2)]),
    ("  a   3  \n\n \n\t b\n", [("a", 3), ("b", None)]),
    ("# comment\na 3 # the fast one\n#b 2\nc#d\n", [("a", 3), ("c", None)]),
    ("a 3\r\nb\r\n", [("a", 3), ("b", None)]),
    ("\ufeffa 3\nb\n", [("a", 3), ("b", None)]),
    ("\ufeff# comment\na", [("a", None)]),
    ("a:4\nb slots=4\nc slots=2 max_slots=8\nd max-slots=8\n",
     [("a", 4), ("b", 4), ("c", 2), ("d", None)]),
    ("n[01-03] 2\nn[1-2]:3\nx[1-2]\n",
     [("n01", 2), ("n02", 2), ("n03", 2), ("n1", 3), ("n2", 3), ("x1", None), ("x2", None)]),
    ("rack[1-2]n[1-2]", [("rack1n1", None), ("rack1n2", None), ("rack2n1", None),
                         ("rack2n2", None)]),
    ("a,b 2", [("a", 2), ("b", 2)]),
    ("a 2\nb 1\na 3\n", [("a", 5), ("b", 1)]),
    ("a\nb\na\n", [("a", None), ("b", None)]),
    ("::1 2\nfe80::1\n2001:db8::7 4\n", [("::1", 2), ("fe80::1", None), ("2001:db8::7", 4)]),
    ("10.0.0.7 2\nnode-1.example.org 12", [("10.0.0.7", 2), ("node-1.example.org", 12)]),
    ("bücher 2\nмашина\n", [("bücher", 2), ("машина", None)]),
    ("a 007", [("a", 7)]),
])
def test_hostfiles(text, hosts):
    assert parse_hostfile(text, "F") == hosts


@pytest.mark.parametrize("line", [
    "a b", "a -1", "a 2.5", "a 2x", "a x y", "a ²", "a slots=x", "a slots=", "a 99999999999",
])
def test_a_bad_line_is_shown_with_its_number(line):
    with pytest.raises(LaunchError) as raised:
        parse_hostfile(f"good 2\n# comment\n{line}\nmore bad lines\n", "the/file")
    assert str(raised.value).startswith(f"the/file, line 3: {line!r} is not a host's name")


@pytest.mark.parametrize("line, workers", [
    ("a 2 3 4", 2), ("a X 2", 2), ("a:2 3", 2), ("a slots=2 3", 2), ("a x slots=4", 4),
    ("a: 4 x", 4),
])
def test_of_further_words_the_first_number_counts(line, workers):
    warnings = []
    name = line.partition(" ")[0].removesuffix(":2")
    assert parse_hostfile(f"good 2\n{line}", "F", warnings.append) == [("good", 2), (name, workers)]
    [warning] = warnings
    assert warning == (f"F, line 2: {line!r} says more than a host's name and its number of "
                       f"workers; taking the first number, {workers}")


def test_one_warning_of_many_lines():
    warnings = []
    hosts = parse_hostfile("a 1 x\nb 2 # y\nc 3 z\nd 4 5\n", "F", warnings.append)
    assert hosts == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]
    [warning] = warnings
    assert "line 1: 'a 1 x'" in warning and warning.endswith("(and 2 more such lines)")


@pytest.mark.parametrize("line", ["a 0", "a:0", "a slots=0", "n[1-2] 00"])
def test_a_host_without_workers(line):
    with pytest.raises(LaunchError, match="F, line 2: .* has 0 workers"):
        parse_hostfile(f"good 2\n{line}", "F")


def test_a_bad_range_in_a_hostfile():
    with pytest.raises(LaunchError, match=r"F, line 2: .*'n\[3-1\]'.* runs backwards"):
        parse_hostfile("good\nn[3-1] 2", "F")


@pytest.mark.parametrize("text", ["", "\n \n", "# nothing\n", "\ufeff", "\r\n\r\n"])
def test_an_empty_hostfile(text):
    with pytest.raises(LaunchError, match="the/file names no host"):
        parse_hostfile(text, "the/file")


@given(st.lists(st.tuples(names, st.one_of(st.none(), st.integers(1, 999))), min_size=1,
                max_size=20, unique_by=lambda host: host[0]), st.data())
def test_every_way_to_write_a_hostfile(hosts, data):
    text = data.draw(st.sampled_from(["", "\ufeff"]))
    for name, workers in hosts:
        forms = ["{0} {1}", "{0}\t{1}", "{0}:{1}", "{0} slots={1}", "  {0}  {1} # {0}"]
        form = "{0}" if workers is None else data.draw(st.sampled_from(forms))
        text += data.draw(st.sampled_from(["", "\n", "# x 3\n"])) + form.format(name, workers)
        text += data.draw(st.sampled_from(["\n", "\r\n", " \n"]))
    assert parse_hostfile(text, "F") == hosts


# -- hosts on the command line ---------------------------------------------


@pytest.mark.parametrize("words, hosts", [
    (["a"], [("a", 1)]),
    (["b", "a", "b", "b"], [("b", 3), ("a", 1)]),
    (["a:4", "b", "a:2"], [("a", 6), ("b", 1)]),
    (["n[01-03]"], [("n01", 1), ("n02", 1), ("n03", 1)]),
    (["n[1-2]:3", "n1"], [("n1", 4), ("n2", 3)]),
    (["a,b:2,n[1,2]"], [("a", 1), ("b", 2), ("n1", 1), ("n2", 1)]),
    (["fe80::1", "::1", "::1"], [("fe80::1", 1), ("::1", 2)]),
    (["127.0.0.1:2"], [("127.0.0.1", 2)]),
])
def test_named_hosts(words, hosts):
    assert parse_names(words) == hosts


@pytest.mark.parametrize("words", [[], [""], [",", " "]])
def test_no_hosts_are_named(words):
    with pytest.raises(LaunchError, match="--hosts needs the names of hosts"):
        parse_names(words)


@pytest.mark.parametrize("word", ["a:0", "b,a:0", "n[1-2]:0"])
def test_named_hosts_without_workers(word):
    with pytest.raises(LaunchError, match="0 workers"):
        parse_names(["ok", word])


@pytest.mark.parametrize("word", ["n[1", "n[2-1]", "n]:4"])
def test_named_hosts_that_cannot_be_read(word):
    with pytest.raises(LaunchError, match="cannot be read"):
        parse_names([word])


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 9)), min_size=1))
def test_the_sum_of_what_is_named(pairs):
    hosts = parse_names([f"{name}:{count}" for name, count in pairs])
    assert [name for name, _ in hosts] == list(dict.fromkeys(name for name, _ in pairs))
    for name, workers in hosts:
        assert workers == sum(count for one, count in pairs if one == name)
    repeated = [name for name, count in pairs for _ in range(count)]
    assert parse_names(repeated) == hosts


def test_merging_numbers_with_none():
    assert merge([Host("a"), Host("b", 2), Host("a", 3), Host("b")]) == [("a", 3), ("b", 2)]


# -- dividing: SCOOP's manual, section 2.2.6 --------------------------------


@pytest.mark.parametrize("workers, placed", [
    (1, [("a", 1)]),
    (3, [("a", 3)]),
    (4, [("a", 3), ("b", 1)]),  # below the sum: host by host, the last get none
    (6, [("a", 3), ("b", 1), ("c", 2)]),
    (7, [("a", 4), ("b", 1), ("c", 2)]),  # above: round robin
    (8, [("a", 4), ("b", 2), ("c", 2)]),
    (9, [("a", 4), ("b", 2), ("c", 3)]),
    (13, [("a", 6), ("b", 3), ("c", 4)]),
])
def test_workers_on_hosts(workers, placed):
    assert divide([("a", 3), ("b", 1), ("c", 2)], workers) == placed


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12), st.integers(1, 300))
def test_dividing(rooms, workers):
    hosts = [(f"n{at}", room) for at, room in enumerate(rooms)]
    placed = divide(hosts, workers)
    counts = [count for _, count in placed]
    assert sum(counts) == workers
    assert all(counts)
    assert [name for name, _ in placed] == [name for name, _ in hosts[:len(placed)]]
    if workers <= sum(rooms):
        assert counts[:-1] == rooms[:len(counts) - 1]
        assert counts[-1] <= rooms[len(counts) - 1]
    else:
        more = [count - room for count, room in zip(counts, rooms, strict=True)]
        assert 0 <= min(more) and max(more) - min(more) <= 1
        assert more == sorted(more, reverse=True)  # the first hosts come first


# -- many hosts ------------------------------------------------------------


class Counted(str):
    """Text that counts how often it is compared; as a name of a host."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Counted.compared += 1
        return str.__eq__(self, other)


def test_merging_compares_names_about_once_each():
    hosts = [Host(Counted(f"n{at % 5000}"), 1) for at in range(10_000)]
    Counted.compared = 0
    assert len(merge(hosts)) == 5000
    assert Counted.compared < 5 * len(hosts)


MANY = 100_000
ENDED = """
import signal
signal.alarm({limit})
from scoop_mpi.hosts.hostlist import divide, expand, parse_hostfile, parse_names
names = [f"n{{at:06}}" for at in range({many})]
{what}
print("done")
"""


@pytest.mark.parametrize("what", [
    "assert expand('n[000000-099999]') == names",
    "assert expand(','.join(f'n[{at:06}]' for at in range(100_000))) == names",
    "assert expand('n[' + ','.join(f'{at:06}' for at in range(100_000)) + ']') == names",
    "assert expand(','.join(names)) == names",
    "assert [h.name for h in parse_hostfile('\\n'.join(names), 'F')] == names",
    "assert [h.workers for h in parse_hostfile(':4\\n'.join(names), 'F')][:2] == [4, 4]",
    "assert [h.name for h in parse_names(names)] == names",
    "assert parse_names(['n[000000-099999]:2'])[-1] == (names[-1], 2)",
    "assert len(divide([(name, 2) for name in names], 300_000)) == 100_000",
], ids=range(9))
def test_a_hundred_thousand_hosts(run_python, what):
    done = run_python(ENDED.format(limit=GENEROUS_S, many=MANY, what=what))
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


@pytest.mark.parametrize("text", [
    "[" * MANY, "]" * MANY, "n[1" * MANY, "[1-" * MANY, "n[1,1" + ",1" * MANY, "," * MANY,
    "n" * MANY + "[", "a:" * MANY, ":" * MANY, "1" * MANY, "n[" + "1" * MANY + "]", " " * MANY,
], ids=range(12))
def test_long_nonsense_ends_soon(run_python, text):
    what = f"text = {text!r}\n" + "".join(f"""
try:
    {call}
except __import__("scoop_mpi").LaunchError:
    pass""" for call in ("expand(text)", "parse_hostfile(text, 'F')", "parse_names([text])"))
    done = run_python(ENDED.format(limit=GENEROUS_S, many=1, what=what))
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)
