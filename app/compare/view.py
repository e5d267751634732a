"""The Compare page as HTML: who won, what a target cost, and where the settings differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from app.finetune.form import label
from app.runs.verdicts import (
    MAY_BE_CHANCE,
    cost_words,
    interval_words,
    saving_words,
    verdict_words,
    won,
)
from app.shell import markup as m
from app.shell.address import link
from app.shell.components.chart import (
    BASELINE,
    BATCHES,
    COLOURS,
    LABELS,
    group_curve,
    percent_chart,
)
from vecaf.config import RunConfig
from vecaf.evaluation.comparison import interval
from vecaf.evaluation.run_groups import ASIDE, Group, Verdict, differing, saving
from vecaf.store import ENDED

CHART = (("accuracy", "Test accuracy"),)
CAVEAT = (
    " “May be chance” means that the two do not differ beyond chance: repeat the runs with other "
    "seeds to find out."
)
TITLE = (
    '<div class="title"><h1>Compare</h1><p>Runs that differ by their seed alone are one line, '
    "with its 95% interval.</p></div>"
)


def names(groups: Sequence[Group]) -> list[str]:
    """A name for each group: its strategy and what else tells it from the last, the measure."""
    telling = [name for name in differing(groups) if name not in ("strategy", "subset")]
    usual = groups[-1].config

    def words(group: Group, everything: bool) -> str:
        shown = [name for name in telling if everything or group.config[name] != usual[name]]
        settings = (f"{label(name)} {group.config[name]}" for name in shown)
        return ", ".join([group.strategy, *settings])

    short = [words(group, False) for group in groups]
    long = [words(group, True) for group in groups]
    best = short if len(set(short)) == len(groups) else long
    return [
        f"{word} (run {group.runs[0].id})" if best.count(word) > 1 else word
        for word, group in zip(best, groups, strict=True)
    ]


def colours(groups: Sequence[Group]) -> list[str]:
    """A colour for each group; the first random one is grey."""
    found, taken = [], 0
    for group in groups:
        if group.random and BASELINE not in found:
            found.append(BASELINE)
        else:
            found.append(COLOURS[taken % len(COLOURS)])
            taken += 1
    return found


def chart(groups: Sequence[Group], target: float | None) -> str:
    """The groups' accuracies as JSON for the chart."""
    curves = [
        group_curve(name, colour, group.lines()) | {"dash": colour == BASELINE}
        for name, colour, group in zip(names(groups), colours(groups), groups, strict=True)
    ]
    key = "-".join(str(run.id) for group in groups for run in group.runs)
    ended = all(run.state in ENDED for group in groups for run in group.runs)
    wait = (
        "None of these runs has finished a round with labeled test images."
        if ended
        else "One point after each round."
    )
    shown = percent_chart("accuracy", LABELS, curves, wait, target)
    shown |= {"other": BATCHES, "height": 380}
    return json.dumps({"key": f"compare-{key}", "charts": [shown]})


def top(dataset: str, groups: Sequence[Group], verdicts: Sequence[tuple[int, Verdict]]) -> str:
    """The title and a sentence for each group but the measure, which is the last."""
    called = names(groups)
    waiting = [run for group in groups for run in group.runs if run.state not in ENDED]
    lines = "".join(
        f"<li>{m.notice(verdict_words(called[place], called[-1], found), won(found))}</li>"
        for place, found in verdicts
    )
    going = (
        f'<p class="muted">{m.plural(len(waiting), "run")} not finished yet: this page follows '
        "along.</p>"
        if waiting
        else ""
    )
    if not lines:
        lines = (
            '<li class="muted">Tick at least two different kinds of run, such as a strategy and '
            "its random baseline, to be told which is better.</li>"
            if len(groups) < 2
            else '<li class="muted">Nothing to say yet: the runs share no finished round of equal '
            "size.</li>"
        )
    return (
        f'<p><a href="/runs">← All runs</a></p>{TITLE}'
        f'<section class="card"><h2>{m.text(dataset)}</h2><ul class="verdicts">{lines}</ul>{going}'
        "</section>"
    )


def rest(
    groups: Sequence[Group], target: float | None, verdicts: Sequence[tuple[int, Verdict]]
) -> str:
    return f"{_targets(groups, target, dict(verdicts))}{_configs(groups)}"


def _targets(groups: Sequence[Group], target: float | None, verdicts: Mapping[int, Verdict]) -> str:
    """What each group took to the target accuracy, in labels and batches."""
    if target is None:
        return ""
    value = f"{100 * target:.1f}"
    fields = (
        '<div class="target"><label>Target accuracy, %<input type="range" min="0" max="100" '
        f'step="0.1" value="{value}" data-param="target"></label><label class="number"><span '
        'class="sr-only">Target accuracy in percent</span><input type="number" min="0" max="100" '
        f'step="0.1" value="{value}" data-param="target"></label></div>'
    )
    measure = groups[-1]
    rows = ""
    for place, group in enumerate(groups):
        name, colour = names(groups)[place], colours(groups)[place]
        cells = ""
        for by in ("labels", "batches"):
            found = None
            if group is not measure:
                found = saving(group, measure, target, by, verdicts.get(place))
            words = f' <span class="muted">{saving_words(found)}</span>' if found else ""
            cost = cost_words(group.costs(target, by).values(), by)
            cells += f'<td class="num">{cost}{words}</td>'
        final = [line.accuracy[-1] for line in group.lines() if line.accuracy]
        end = interval_words(interval(final)) if final else "–"
        rows += (
            f'<tr><th scope="row">{_swatch(colour)}{m.text(name)}</th>{cells}'
            f'<td class="num">{end}</td></tr>'
        )
    caveat = CAVEAT if MAY_BE_CHANCE in rows else ""
    return (
        '<section class="card" data-key="targets"><h3>What a target costs</h3>'
        f'{fields}<div class="scroll" tabindex="0"><table class="table"><thead><tr><td></td>'
        '<th scope="col">Labels to target</th><th scope="col">Batches to target</th>'
        f'<th scope="col">At the end</th></tr></thead><tbody>{rows}</tbody></table></div>'
        '<p class="muted">Between two rounds the cost is read off a straight line. Percentages '
        f"compare with the last row.{caveat}</p></section>"
    )


def _configs(groups: Sequence[Group]) -> str:
    """Every setting of every group; those that differ first, marked by a sign and a colour."""
    apart = differing(groups)
    settings = [name for name in RunConfig().as_dict() if name not in ASIDE]
    head = "".join(
        f'<th scope="col">{_swatch(colour)}{m.text(name)}</th>'
        for name, colour in zip(names(groups), colours(groups), strict=True)
    )
    runs = "".join(f"<td>{_runs(group)}</td>" for group in groups)

    def row(name: str) -> str:
        values = "".join(f"<td>{m.text(group.config[name])}</td>" for group in groups)
        mark = ' class="differs"' if name in apart else ""
        return f'<tr{mark}><th scope="row">{m.text(label(name))}</th>{values}</tr>'

    def table(rows: str) -> str:
        return (
            f'<div class="scroll" tabindex="0"><table class="table configs"><thead><tr><td></td>'
            f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    same = "".join(row(name) for name in settings if name not in apart)
    differ = "".join(row(name) for name in apart)
    return (
        '<section class="card" data-key="configs"><h3>Settings</h3>'
        f"{table(f'<tr><th scope=row>Runs (seed)</th>{runs}</tr>{differ}')}"
        f"<details><summary>Settings that are equal</summary>{table(same)}</details></section>"
    )


def _runs(group: Group) -> str:
    return ", ".join(
        f'<a href="{m.text(link("/runs", run=run.id))}">{run.id}</a> ({run.seed})'
        for run in group.runs
    )


def _swatch(colour: str) -> str:
    return f'<span class="swatch" style="background: var(--{colour})" aria-hidden="true"></span>'


def nothing(sentence: str) -> str:
    """What is said where there is nothing to compare."""
    hint = 'Tick two or more runs of one dataset on the <a href="/runs">Runs page</a>.'
    return f"{TITLE}{m.empty(sentence, hint)}"
