"""The tables as they are loaded: their counts, their versions, and files that cannot be used."""

from collections import Counter

import pytest

from access_policy.policy_file import BadPolicy, read_policy_file
from access_policy.rights import Action, Actor, Authentication, Grade, Mode
from access_policy.tables import published, published_matrix, published_rights
from schemas import resource
from schemas.value_sets import value_set

TYPES_READ = {
    "medecin": 108,
    "pharmacien_biologiste": 78,
    "pharmacien_officine_pui": 78,
    "chirurgien_dentiste": 74,
    "sage_femme": 75,
    "infirmier": 78,
    "masseur_kine": 76,
    "pedicure_podologue": 70,
    "orthophoniste": 61,
    "ergo_psychomot_orthoptiste_diet": 49,
    "audioprothesiste_appareillage": 19,
    "opticien": 12,
    "manip_radio": 38,
    "coordination_orientation": 34,
    "assistant_social": 9,
    "social_admin": 5,
    "social_accomp_vie": 9,
    "social_accomp_soin": 26,
    "social_encadrement": 13,
}
GRADES = {
    "allow": 298,
    "deny": 245,
    "own_only": 34,
    "retired": 12,
    "if_patient_allowed": 10,
    "reference_only": 4,
    "structure_only": 4,
    "allow_as_structure": 3,
    "allow_for_structure": 2,
    "same_structure_list": 2,
    "new_authorizations_list": 1,
}


def text_of(name: str) -> str:
    return resource(f"policy/{name}").read_text(encoding="utf-8")


def test_the_matrix_has_its_types_and_columns() -> None:
    matrix = published().matrix
    assert len(matrix.types) == 108
    read = {one.id: len(matrix.readable[one.id]) + (one.id in matrix.reads_imaging) for one in matrix.columns}
    assert read == TYPES_READ
    assert "2024" in matrix.version
    assert "R.1111-46" in matrix.source


def test_the_coded_types_are_those_of_the_dmp_without_the_signature() -> None:
    known = {f"{one.code}^^{one.system}" for one in value_set("JDV_J66_TypeCode_DMP").concepts if one.code != "E1762"}
    assert published().matrix.listed == known


def test_the_rights_of_professionals_have_their_decisions() -> None:
    file = read_policy_file(text_of("rights.csv"), "rights.csv")
    assert len(file.rows) == 615
    assert Counter(row["decision"] for _, row in file.rows) == GRADES
    assert "526" in published().rights.version


def test_one_right_at_most_answers_and_absence_denies() -> None:
    rights = published().rights
    absent = rights.right(Action.SUBMIT, Authentication.AIR, Actor.OCCUPATIONAL_DOCTOR, Mode.NORMAL)
    assert (absent.grade, absent.rule.endswith("=absent")) == (Grade.DENY, True)
    archived = {
        by_patient: rights.right(
            Action.ARCHIVE, Authentication.CPS, Actor.DOCTOR, Mode.BREAK_GLASS, by_patient=by_patient
        ).grade
        for by_patient in (False, True)
    }
    assert archived == {False: Grade.ALLOW, True: Grade.DENY}


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("matrix.csv", "# version: 2024-09-25\n", "", "found no line '# version: …'"),
        ("matrix.csv", ",1,1,1,1,1", ",1,yes,1,1,1", "line 4: pharmacien_biologiste: found 'yes', expected 1 or 0"),
        ("matrix.csv", ",medecin,", ",doctor,", "found no column medecin"),
        ("matrix.csv", "DOCPAT05", "DOCPAT03", "found twice: DOCPAT03^^"),
        ("matrix.csv", "10,Compte rendu,DOCPAT03,", "10,DOCPAT03,", "line 4: found 23 columns, expected 24"),
        ("rights.csv", "session.authenticate,TD0.1,direct_cps", "session.authenticate,TD0.1,card", "auth: found card"),
        ("rights.csv", "any,own_only", "any,perhaps", "decision: found perhaps"),
        ("rights.csv", "doctor,regulation,any,allow", "doctor,normal,any,allow", "twice"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(name: str, old: str, new: str, told: str) -> None:
    text = text_of(name)
    assert old in text
    read = published_matrix if name == "matrix.csv" else published_rights
    with pytest.raises(BadPolicy) as caught:
        read(read_policy_file(text.replace(old, new, 1), name))
    assert told in str(caught.value)


def test_a_file_may_close_what_another_opens() -> None:
    text = text_of("matrix.csv").replace("2024-09-25", "2031-01-01", 1)
    lines = [line.replace(",1,1,", ",0,1,", 1) if line.startswith("10,") else line for line in text.splitlines(True)]
    newer = published_matrix(read_policy_file("".join(lines), "newer.csv"))
    assert newer.version == "2031-01-01"
    assert len(newer.readable["medecin"]) < len(published().matrix.readable["medecin"])
