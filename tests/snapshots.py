#!/usr/bin/env python3
"""Checks that LiteLLM's own models accept what `price --snapshot` writes.

Run it in the root of the project, with a Python that has the package `litellm` (1.109.1):

    python3 tests/snapshots.py

It builds the example `price`, asks it the calls in tests/data, or in the files that are named (lines
of JSON, compressed with gzip), and validates each answer's "snapshot"
with `litellm.accounting.types.PricingSnapshot` or `Unpriced`. It compares the total with the answer's,
digit by digit, and what LiteLLM writes back with what it read. It exits with 0 if all are equal, with 1
if one is not, and with 2 if it cannot do its work.
"""

import collections
import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
SUITES = ["token", "context", "mixed", "unit", "response", "body"]
LEAST = 5000


def calls(files):
    """Yields each call of the files, as a line that `price` reads."""
    for file in files:
        suite = os.path.basename(file).split(".")[0]
        with gzip.open(file, "rt") as lines:
            for line in lines:
                call = json.loads(line)
                call.pop("expect", None)
                call["id"] = f"{suite} {call['id']}"
                yield json.dumps(call)


def number(value):
    """Returns the value of a number in a snapshot, however it is written."""
    return Decimal(value) if isinstance(value, (str, int)) else value


def same(ours, theirs):
    """Tells whether two snapshots have the same numbers and words."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    try:
        return number(ours) == number(theirs)
    except ArithmeticError:
        return ours == theirs


def main():
    try:
        from litellm.accounting.types import PricingSnapshot, Unpriced
    except ImportError as error:
        print(f"snapshots: {error}: install litellm==1.109.1", file=sys.stderr)
        return 2
    built = subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "--example", "price", "--message-format=json"],
        capture_output=True,
        text=True,
    )
    if built.returncode:
        print(built.stderr, file=sys.stderr)
        return 2
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    price = [m["executable"] for m in messages if m.get("target", {}).get("name") == "price" and m.get("executable")]
    files = sys.argv[1:] or [f"tests/data/{suite}.jsonl.gz" for suite in SUITES]
    lines = list(calls(files))
    answered = subprocess.run([price[-1], "--snapshot"], input="\n".join(lines), capture_output=True, text=True)
    answers = answered.stdout.splitlines()
    if len(answers) != len(lines):
        print(f"snapshots: {len(answers)} answers to {len(lines)} calls: {answered.stderr}", file=sys.stderr)
        return 2
    counts, faults = collections.Counter(), 0
    for line in answers:
        answer = json.loads(line)
        text = json.dumps(answer["snapshot"])
        is_priced = answer.get("complete") is True
        model = PricingSnapshot if is_priced else Unpriced
        try:
            read = model.model_validate_json(text)
            fault = None if same(json.loads(text), json.loads(read.model_dump_json())) else "is read back changed"
            if is_priced and read.total_cost != Decimal(answer["total"]):
                fault = f"totals {read.total_cost}, not {answer['total']}"
        except ValueError as error:
            fault = str(error)
        counts[(answer["id"].split()[0], model.__name__)] += 1
        if fault:
            faults += 1
            if faults <= 12:
                print(f"{answer['id']}: {fault}\n  {text}")
    for (suite, name), count in sorted(counts.items()):
        print(f"{suite}: {count} {name}")
    priced = sum(count for (_, name), count in counts.items() if name == "PricingSnapshot")
    print(f"snapshots: {priced} of {len(lines)} calls are priced, {faults} faults")
    if priced < LEAST:
        print(f"snapshots: fewer than {LEAST} are priced", file=sys.stderr)
        return 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
