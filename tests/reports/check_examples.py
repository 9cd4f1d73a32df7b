"""The examples of README "In CI": their commands are run as CI would run them.

Steps that need the network are skipped by their names; the checkpoint that they would have
downloaded is a small one of fixtures/.
"""

import hashlib
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree

import yaml

from checking import BOX, PROGRAM, check, end

NETWORK = ["Install megatron2hf", "Download the checkpoint"]

with open("README.md", encoding="utf-8") as file:
    section = file.read().split("\n## In CI\n")[1].split("\n## ")[0]
github, gitlab = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", section, re.S)]

tools = os.path.join(BOX, "tools")
os.mkdir(tools)
os.symlink(PROGRAM, os.path.join(tools, "megatron2hf"))
with open("fixtures/ngc/good-torchzip.pt", "rb") as file:
    checkpoint = file.read()


def workspace(name):
    path = os.path.join(BOX, name)
    os.mkdir(path)
    with open(os.path.join(path, "checkpoint.zip"), "wb") as file:
        file.write(checkpoint)
    return path


def shell(command, place, **more):
    environment = dict(os.environ, PATH=tools + ":" + os.environ["PATH"], CHECKPOINT_SHA256=hashlib.sha256(
        checkpoint).hexdigest(), **more)
    done = subprocess.run(["bash", "-e", "-c", command], cwd=place, env=environment, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def damage(place):
    with open(os.path.join(place, "gpt2-345m/config.json"), "a") as file:
        file.write("\n")


# ---- GitHub: steps of a job, until one fails -------------------------------------------

steps = github["jobs"]["convert"]["steps"]
names = [step.get("name") for step in steps]
for step in steps:
    check(("run" in step) != ("uses" in step), "a step runs or uses: %s" % step)
    uses_network = re.search("curl|git clone|apt-get", step.get("run", ""))
    check((uses_network is not None) == (step["name"] in NETWORK), "network: %s" % step["name"])
    check("${{" not in step.get("run", ""), "a value of elsewhere in a script: %s" % step)
upload = steps[names.index("Upload the report")]
check(upload["if"] == "always()" and "upload-sarif" in upload["uses"], "the upload")
check("CHECKPOINT_SHA256" in github["jobs"]["convert"]["env"], "the environment of the job")
check(github["permissions"]["security-events"] == "write", "SARIF needs a permission")

for damaged in [False, True]:
    place = workspace("github-damaged" if damaged else "github")
    page = os.path.join(place, "page.md")
    for step in steps:
        if step["name"] in NETWORK or "run" not in step:
            continue
        if damaged and step["name"] == "Verify":
            damage(place)
        status, out, said = shell(step["run"], place, GITHUB_STEP_SUMMARY=page)
        bad = damaged and step["name"] == "Verify"
        check(status == (1 if bad else 0), "%s: status %d: %s" % (step["name"], status, said))
        check(("::error file=gpt2-345m/config.json," in out) == bad, "%s: %s" % (step["name"], out))
    check(os.path.getsize(os.path.join(place, upload["with"]["sarif_file"])) > 0, "nothing to upload")
    with open(page) as file:
        check(("exit status %d" % damaged) in file.read(), "the page of the step")

# ---- GitLab: lines of a script ---------------------------------------------------------

job = gitlab["convert"]
for line in job["before_script"]:
    check(re.search("curl|git clone|apt-get|make ", line) is not None, "before_script: %s" % line)
for damaged in [False, True]:
    place = workspace("gitlab-damaged" if damaged else "gitlab")
    for line in job["script"]:
        if damaged and " verify " in line:
            damage(place)
        status, out, said = shell(line, place)
        check(status == (damaged and " verify " in line), "%s: status %d: %s" % (line, status, said))
    junit = xml.etree.ElementTree.parse(os.path.join(place, job["artifacts"]["reports"]["junit"]))
    check(junit.getroot().get("failures") == str(int(damaged)), "the artifact")
    for path in job["artifacts"]["paths"]:
        check(os.path.isdir(os.path.join(place, path)), "the artifact %s" % path)
check(job["artifacts"]["when"] == "always", "the report of a failure is what counts")
shutil.rmtree(tools)

end("examples")
