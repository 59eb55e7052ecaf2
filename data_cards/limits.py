"""Known limits of a dataset, from its figures: what to hold against it before using it."""

from collections.abc import Sequence

from data_cards.facts import LanguageFacts
from data_cards.markdown import cell, interval, number, share
from palo.schemas import TurnStatus, Verdict
from palo.settings import Profile

_MAX_FOREIGN = 0.01  # of the turns: more in another language than that is worth a line


def limits(profile: Profile, rows: Sequence[LanguageFacts]) -> list[str]:
    """Sentences, those that hold for every release last."""
    found = [line for row in rows for line in _of_language(profile, row)]
    if set_aside := rows[0].source.set_aside:
        found.append(f"{number(set_aside)} samples of the source were malformed and are missing.")
    if profile.world is not None:
        found.append(
            "These are drawn scenes and sentences of a small grammar: they test the software and "
            "teach nothing about photographs."
        )
    else:
        found.append(
            "The English was written by a language model from captions and boxes, without seeing "
            "the pictures: what it says may not be in them. Translation keeps such errors."
        )
    found.append("Pictures are named, not included; get them from where they are published.")
    found.append("Turns that nobody reviewed or audited are as the machine wrote them.")
    return found


def _of_language(profile: Profile, row: LanguageFacts) -> list[str]:
    return [f"{row.name}: {line}" for line in (*_judged(row), *_audited(profile, row))]


def _judged(row: LanguageFacts) -> list[str]:
    found = []
    if row.structure_broken:
        found.append("the audit of the translation run found shards that do not match the source.")
    if row.samples < row.source.samples:
        left = row.source.samples - row.samples
        found.append(f"{number(left)} conversations of the source are not translated.")
    if failed := row.by_status(TurnStatus.FAILED):
        found.append(
            f"{number(failed)} of {number(row.turns)} turns failed every attempt to translate."
        )
    if row.use is None:
        found.append("nothing has been filtered, so nothing can be trained on.")
        return found
    left_out, cut = row.use.left_out, row.use.cut
    if left_out or cut:
        waiting = sum(row.by_verdict(one) or 0 for one in (Verdict.REVIEW, Verdict.REJECT))
        found.append(
            f"conversations left out: {number(left_out)}, cut: {number(cut)}. Turns that were "
            f"flagged and are not corrected: {number(waiting)}."
        )
    if not row.report:
        found.append("language, lengths and reviews were not measured (`palo refine report`).")
        return found
    if row.report_is_older:
        found.append(
            "language, lengths and reviews were measured on earlier shards than these "
            "(`palo refine report` measures them anew)."
        )
    identified = row.report.get("identified", {})
    asked = sum(identified.values())
    foreign = asked - identified.get(row.lang, 0)
    if asked and foreign / asked > _MAX_FOREIGN:
        found.append(
            f"language identification gives {share(foreign / asked)} of {number(asked)} turns "
            "another language or none; short answers are often misjudged."
        )
    return found


def _audited(profile: Profile, row: LanguageFacts) -> list[str]:
    plan, audit = profile.refine.acceptance, row.audit
    if audit is None:
        return ["no turn that passed the filters has been audited, so its error rate is unknown."]
    rate = (
        f"{number(audit['num_errors'])} of {number(audit['num_rows'])} audited turns were wrong "
        f"({interval(audit['low'], audit['high'])} of all that passed)"
    )
    current = row.translated.get("signature", "")
    older = current and not str(audit["translator"]).endswith(current)
    whose = f" The audit is of another translator: {cell(audit['translator'])}." if older else ""
    if row.audit_failed:
        allowed = f"{plan.max_errors} in {plan.rows}"
        return [f"**fails the acceptance plan** of {allowed} errors: {rate}.{whose}"]
    if audit["acceptance"] != "met":
        return [f"too few rows were audited to accept it: {rate}.{whose}"]
    return [f"accepted, with errors left: {rate}.{whose}"]
