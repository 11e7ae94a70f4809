import threading

import pytest

from cda.schematron import Nodes, SchemaError
from tests.cda.schematron.rules import NAMESPACE, document, failures, one_test, passes, schema

SECTION = '<section><templateId root="1.2"/><code code="A"/></section>'


def test_a_report_fails_where_its_test_holds() -> None:
    compiled = schema('<pattern><rule context="cda:code"><report test="@nullFlavor">no</report></rule></pattern>')
    assert len(failures(compiled, '<code nullFlavor="UNK"/><code code="A"/>')) == 1


def test_a_relative_context_matches_anywhere_and_an_absolute_one_there_only() -> None:
    body = f"<code/>{SECTION}"
    assert len(failures(one_test("false()", "cda:code"), body)) == 2
    assert len(failures(one_test("false()", "/cda:ClinicalDocument/cda:code"), body)) == 1
    assert len(failures(one_test("false()", "cda:section/cda:code | cda:code[@code = 'Z']"), body)) == 1


@pytest.mark.parametrize(
    ("context", "found"),
    [
        ("*[cda:templateId/@root = '1.2']", 1),
        ("cda:section[cda:templateId[@root='1.2'] and cda:code/@code='A']/cda:code", 1),
        ("cda:entry[cda:templateId/@root = '1.2']", 0),
        ("cda:ClinicalDocument//cda:code[@code = 'A']", 1),
        ("cda:section[1]", 1),
        ("cda:section[cda:code][string-length(cda:code/@code) = 1]", 1),
        ("cda:other//cda:code", 0),
        ("//cda:section/cda:templateId[@root = '1.2']", 1),
    ],
)
def test_contexts_with_conditions(context: str, found: int) -> None:
    assert len(failures(one_test("false()", context), SECTION)) == found


def test_the_first_rule_of_a_pattern_that_matches_a_node_is_the_one_that_counts() -> None:
    rules = "".join(
        f'<rule context="cda:code{where}"><assert id="{name}" test="false()">no</assert></rule>'
        for name, where in (("first", "[@code = 'A']"), ("second", ""))
    )
    found = failures(schema(f"<pattern>{rules}</pattern>"), '<code code="A"/><code code="B"/>')
    assert [each.check.source.id for each in found] == ["first", "second"]


def test_patterns_do_not_know_each_other() -> None:
    pattern = '<pattern><rule context="cda:code"><assert test="false()">no</assert></rule></pattern>'
    assert len(failures(schema(pattern * 2), "<code/>")) == 2


def test_abstract_patterns_take_parameters() -> None:
    content = (
        '<pattern id="p" abstract="true"><rule context="$where"><assert test="$null or $what">no</assert></rule></pattern>'
        '<pattern is-a="p"><param name="where" value="cda:code"/><param name="what" value="@code"/>'
        '<param name="null" value="false()"/></pattern>'
    )
    assert len(failures(schema(content), '<code/><code code="A"/>')) == 1


def test_rules_extend_abstract_rules_over_several_levels() -> None:
    content = (
        '<pattern><rule abstract="true" id="a"><assert test="@a">no</assert></rule>'
        '<rule abstract="true" id="b"><extends rule="a"/><assert test="@b">no</assert></rule>'
        '<rule context="cda:code"><extends rule="b"/><assert test="@c">no</assert></rule></pattern>'
    )
    found = failures(schema(content), '<code b="1"/>')
    assert [each.check.source.test for each in found] == ["@a", "@c"]


def test_only_the_patterns_of_the_phase_run() -> None:
    content = (
        '<phase id="one"><active pattern="p1"/></phase>'
        '<pattern id="p1"><rule context="cda:code"><assert test="false()">1</assert></rule></pattern>'
        '<pattern id="p2"><rule context="cda:code"><assert test="false()">2</assert></rule></pattern>'
    )
    assert [each.rule.pattern for each in failures(schema(content, 'defaultPhase="one"'), "<code/>")] == ["p1"]
    assert len(failures(schema(content), "<code/>")) == 2
    with pytest.raises(SchemaError, match="no phase 'two'"):
        schema(content, phase="two")


def test_lets_are_seen_by_those_after_them_and_from_other_patterns() -> None:
    lets = '<let name="le-code" value="@code"/><let name="twice " value="concat($le-code, $le-code)"/>'
    compiled = schema(
        '<pattern id="variables"><let name="wanted" value="\'AA\'"/></pattern>'
        f'<pattern><rule context="cda:code">{lets}<assert test="$twice = $wanted">no</assert></rule></pattern>'
    )
    assert len(failures(compiled, '<code code="A"/><code code="B"/>')) == 1


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ("empty(cda:none) and exists(cda:code)", True),
        ("matches(cda:code/@code, '^[A-C]$')", True),
        ("matches(cda:code/@code, '^a$', 'i')", True),
        ("ends-with(cda:code/@code, 'B')", False),
        ("cda:code/@code castable as xs:integer", False),
        ("if (cda:code) then cda:code/@code = 'A' else false()", True),
        ("count($letter) = 1", True),
        ("string-join(($letter, 'B'), '-') = 'A-B'", True),
        ("every $c in cda:code satisfies $c/@code = 'A'", True),
        ("'2023-02-30T00:00:00' castable as xs:dateTime", False),
        ("not(* except cda:code)", True),
        ("cda:code/starts-with(@code, 'A')", True),
        ("count(distinct-values(cda:code/concat(@code, '!'))) = 1", True),
    ],
)
def test_functions_and_words_of_xpath_2(test: str, holds: bool) -> None:
    assert passes(test, '<code code="A"/>', lets='<let name="letter" value="cda:code/@code"/>') is holds


def test_documents_are_read_from_the_folder_of_the_rules() -> None:
    codes = '<codes><svs:Concept xmlns:svs="urn:ihe:iti:svs:2008" code="A"/></codes>'
    test = "document('rules/codes.xml')//*[@code = current_code]".replace("current_code", "$c")
    content = f'<pattern><rule context="cda:code"><let name="c" value="@code"/><assert test="{test}">no</assert></rule></pattern>'
    compiled = schema(content, files={"rules/codes.xml": codes})
    assert len(failures(compiled, '<code code="A"/><code code="Z"/>')) == 1


def test_includes_are_relative_to_the_including_file() -> None:
    part = f'<pattern {NAMESPACE} id="p"><include href="rule.sch"/></pattern>'
    rule = f'<rule {NAMESPACE} context="cda:code"><assert test="false()">no</assert></rule>'
    files = {"rules/part/p.sch": part, "rules/part/rule.sch": rule}
    found = failures(schema('<include href="part/p.sch"/>', files=files), "<code/>")
    assert [each.rule.source.file for each in found] == ["rules/part/rule.sch"]


@pytest.mark.parametrize("href", ["../../etc/passwd", "/etc/passwd", "http://example.org/x", "file:///etc/passwd"])
def test_no_include_leaves_the_folder_of_the_rules(href: str) -> None:
    with pytest.raises(SchemaError, match=r"leads out|not a file"):
        schema(f'<include href="{href}"/>')


def test_a_missing_include_is_named() -> None:
    with pytest.raises(SchemaError, match=r"rules/none\.sch: no such file"):
        schema('<include href="none.sch"/>')


def test_files_that_include_each_other_are_refused() -> None:
    again = f'<pattern {NAMESPACE}><include href="main.sch"/></pattern>'
    with pytest.raises(SchemaError, match="deep"):
        schema('<include href="a.sch"/>', files={"rules/a.sch": again.replace("main", "a")})


@pytest.mark.parametrize("test", ["a ==", "a/count(b)/c"])
def test_an_expression_that_cannot_be_compiled_is_named(test: str) -> None:
    compiled = one_test(test)
    assert [each.expression for each in compiled.not_run] == [test]
    assert compiled.not_run[0].reason


def test_a_test_that_cannot_be_evaluated_fails_with_its_reason() -> None:
    (found,) = failures(one_test("no-such-function(cda:code)"), "<code/>")
    assert "Unregistered function" in found.error


def test_a_value_set_that_is_not_there_is_named() -> None:
    compiled = one_test("in-value-set('none')", "cda:code")
    assert [each.reason for each in compiled.not_run] == ["value set none is not available"]
    found = failures(
        one_test("in-value-set('colours')", "cda:code"), '<code code="R" codeSystem="1.2.3"/><code code="R"/>'
    )
    assert len(found) == 1


def test_a_code_set_asks_the_code_alone() -> None:
    body = '<code code="R"/><code code="Z"/>'
    assert len(failures(one_test("in-code-set('colours')", "cda:code"), body)) == 1
    assert len(failures(one_test("@code and in-code-set('colours')", "cda:code"), body)) == 1


def test_a_look_up_inside_what_only_xpath_can_say_is_named() -> None:
    compiled = one_test("string-length(@code) = 1 and in-code-set('colours')", "cda:code")
    assert [each.reason for each in compiled.not_run] == ["in-code-set() stands in an expression that is no look-up"]


def test_a_child_allowed_once_is_told_for_each_that_is_repeated() -> None:
    rule = "count(cda:id) &lt;= 1"
    compiled = schema(
        f'<pattern><rule context="cda:section"><assert test="{rule}"/><assert test="count(cda:code) &lt;= 1"/>'
        "</rule></pattern>"
    )
    found = failures(compiled, "<section><id/><id/><code/></section><section><id/><code/><code/></section>")
    assert [each.check.source.test for each in found] == ["count(cda:id) <= 1", "count(cda:code) <= 1"]


def test_threads_share_one_schema() -> None:
    compiled = one_test("string-length(@code) = 1", "cda:code")
    counts: list[int] = []

    def run() -> None:
        for _ in range(50):
            root = document('<code code="A"/><code code="AB"/>')
            counts.append(len(list(compiled.failures(Nodes(root)))))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert counts == [1] * 200
