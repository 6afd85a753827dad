"""What the scripts share that measure Assay beside other programs."""
import concurrent.futures
import datetime
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


class Failure(Exception):
    """One line that says what is wrong."""


def run(command, may_end_with=(0,)):
    """What a command prints, and the lines of its error output with the seconds at which each came."""
    command = [str(word) for word in command]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from error
    with concurrent.futures.ThreadPoolExecutor(1) as reader:  # so that neither pipe fills up
        output = reader.submit(process.stdout.read)
        lines = [(time.monotonic(), line) for line in process.stderr]
    output = output.result()
    if process.wait() not in may_end_with:
        raise Failure(f"{shlex.join(command)}: exit code {process.returncode}: {lines[-1][1].strip() if lines else ''}")
    return output, lines


def add_program_options(parser):
    """Where the programs and their files are."""
    add = parser.add_argument
    add("--device", help="index or part of a name, as `assay devices` lists them (default: the fastest)")
    add("--assay", default=str(TOP / "build/release/assay"), metavar="PATH", help="default: %(default)s")
    add("--prefix", type=shlex.split, default=[], metavar="COMMAND",
        help="starts both programs, for example in another system's folder: 'chroot /opt/sid'")
    add("--work", type=Path, default=Path("/tmp"), metavar="FOLDER", help="for files of the run (default: %(default)s)")
    add("--work-inside", type=Path, metavar="FOLDER", help="the name that --work has there")
    add("--results", type=Path, metavar="FILE", help=f"default: bench/results/DEVICE-{Path(sys.argv[0]).name}.json")
    add("--again", action="store_true", help="replace the results file")
    add("--table", type=Path, metavar="FILE", help="print the table of these results")
    add("--readme", action="store_true", help="with --table: write it into README.md")


def chosen_device(options):
    """The device that both programs will use, as `assay devices` describes it."""
    devices = json.loads(run([*options.prefix, options.assay, "devices", "--json"])[0])
    wanted = (options.device or "").lower()
    for device in devices:
        named = wanted == str(device["index"]) if wanted.isdigit() else wanted in device["name"].lower()
        if device["usable"] and named:
            if device["kind"] == "CPU":
                os.environ.setdefault("GGML_VK_VISIBLE_DEVICES", "0")  # llama.cpp leaves CPU implementations out otherwise
            return device
    raise Failure(f"device '{wanted}': none of the {len(devices)} that assay devices lists")


def device_words(options):
    return ["--device", options.device] if options.device else []


def llama_version(options, program):
    """Of a llama.cpp program; nothing where there is none."""
    if not program:
        return None
    output, lines = run([*options.prefix, program, "--version"])
    version = re.search(r"version: (.*)", output + "".join(line for _, line in lines))
    return version[1].strip() if version else "of unknown version"


def without_folders(word):
    """A word of a command whose absolute paths are names alone: where files lie on a machine is nobody else's business."""
    return re.sub(r"(?<![^\s=])/(\S*/)?", "", word)


def describe_run(device, **what):
    """The head of a results file: when, of what and how, then `what` is particular to the script, and rows to come."""
    commit = subprocess.run(["git", "-C", str(TOP), "describe", "--always", "--dirty", "--exclude=*"],
                            capture_output=True, text=True, check=False)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "commit": commit.stdout.strip() or "unknown",
        "command": shlex.join([f"bench/{Path(sys.argv[0]).name}", *map(without_folders, sys.argv[1:])]),
        "device": device["name"],
        "driver": device["driver"],
        **what,
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith(("GGML_VK_", "LP_"))},
        "rows": [],
    }


def results_path(options, device):
    slug = re.sub(r"[^A-Za-z0-9]+", "-", device["name"]).strip("-")
    return options.results or TOP / f"bench/results/{slug}-{Path(sys.argv[0]).name}.json"


def resume(this_run, path, again):
    """The results to add rows to: those of the file if they were measured as these will be."""
    if again or not path.exists():
        return this_run
    before = json.loads(path.read_text())
    if this_run["commit"] == before["commit"] + "-dirty":  # as the rows make it that were saved
        this_run["commit"] = before["commit"]
    for key in this_run:
        if key not in ("date", "command", "rows") and before.get(key) != this_run[key]:
            raise Failure(f"{path}: {key} {before.get(key)}, now {this_run[key]}: give --again or another --results")
    if this_run["command"] not in before["command"].split(" && "):
        before["command"] += " && " + this_run["command"]
    return before


def save(results, path):
    """Whole or not at all: a run that is cut off leaves the rows before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(results, indent=2) + "\n")
    unfinished.replace(path)


def significant(value):
    """Three digits, fewer of what is small, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3g}"


def print_table(text, options):
    """Prints a table or, with --readme, puts it between the script's marks in README.md."""
    if not options.readme:
        print(text, end="")
        return
    begin_mark, end_mark = f"<!-- {Path(sys.argv[0]).name} table -->\n", "<!-- end -->"
    readme = TOP / "README.md"
    before, begin, rest = readme.read_text().partition(begin_mark)
    _, end, after = rest.partition(end_mark)
    if not (begin and end):
        raise Failure(f"{readme}: no {begin_mark.strip()} with {end_mark} after it")
    readme.write_text(before + begin + text + end + after)


def main(options, measure, table):
    try:
        if options.table:
            print_table(table(json.loads(options.table.read_text())), options)
        else:
            measure(options)
    except (Failure, OSError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
