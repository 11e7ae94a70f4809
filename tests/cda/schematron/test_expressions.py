import pytest
from lxml import etree

from cda.schematron.expressions import Binary, Call, Conditional, ExpressionError, Literal, Path, Step, parse
from cda.schematron.xpath1 import variable_name, write, write_condition


def test_and_binds_closer_than_or() -> None:
    tree = parse("a or b and c")
    assert isinstance(tree, Binary)
    assert tree.operator == "or"
    assert isinstance(tree.right, Binary)


def test_a_star_is_a_name_where_an_operand_stands_and_a_product_after_one() -> None:
    assert parse("*") == Path(None, (Step("child", "*"),))
    tree = parse("2 * count(*)")
    assert isinstance(tree, Binary)
    assert tree.operator == "*"


def test_quotes_inside_a_literal_are_doubled() -> None:
    assert parse("'l''hôpital'") == Literal("l'hôpital")


def test_a_name_may_be_called_like_an_operator() -> None:
    assert parse("cda:and") == Path(None, (Step("child", "cda:and"),))
    assert isinstance(parse("if (a) then b else c"), Conditional)


@pytest.mark.parametrize("text", ["", "a =", "a[", "count(a", "a b", "a]"])
def test_what_is_no_expression_says_where(text: str) -> None:
    with pytest.raises(ExpressionError, match="at character"):
        parse(text)


@pytest.mark.parametrize(
    ("xpath2", "xpath1"),
    [
        ("@use = ('H', 'WP')", "((@use = 'H') or (@use = 'WP'))"),
        ("*:low/@value", "*[local-name() = 'low']/@value"),
        ("a/count(b) <= 1", "a[(count(b) <= 1)]"),
        ("a/not(b)", "a[not(boolean(b))]"),
        ("every $x in a satisfies $x = 'v'", "(a)[not((. = 'v'))]"),
        ("* except (a | b)", "*[not(self::a or self::b)]"),
        ("@value castable as xs:integer", "castable(@value, 'xs:integer')"),
        ("count(a and b) = 1", "(1 = 1)"),
        ("$a-é = 1", f"(${variable_name('a-é')} = 1)"),
    ],
)
def test_words_of_xpath_2_become_words_of_xpath_1(xpath2: str, xpath1: str) -> None:
    assert xpath1 in write_condition(parse(xpath2))
    assert etree.XPath(write_condition(parse(xpath2)))


def test_a_value_set_apart_keeps_its_precedence() -> None:
    assert write(parse("(a | b)/c[1]")) == "((a | b))/c[1]"


def test_calls_keep_their_arguments() -> None:
    assert parse("matches(@a, 'x')") == Call("matches", (Path(None, (Step("attribute", "a"),)), Literal("x")))
