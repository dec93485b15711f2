"""List the packages that are really in an image (CycloneDX 1.6), and look each up for known faults.

    python sbom.py IMAGE FILE

Needs podman, and the packages of requirements-image.lock. What can't be looked up is said: silence proves nothing.
Exit status 1: a package has a known fault, or Debian has a newer version of it.
"""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

PYTHON = """
import importlib.metadata as m, json, platform
found = sorted({(d.metadata["Name"], d.version) for d in m.distributions()})
print(json.dumps({"python": platform.python_version(), "distributions": found}))
"""
OWN = "kgl-backend"


def run(image: str, *command: str, user: str = "10001") -> str:
    """What a command prints in a container of the image."""
    podman = ("podman", "run", "--rm", "--pull=never", "--no-healthcheck", "--network=host", f"--user={user}")
    options = [f"--entrypoint={command[0]}", "--volume=/etc/ssl/certs:/etc/ssl/certs:ro"]
    done = subprocess.run([*podman, *options, image, *command[1:]], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def components(image: str) -> list[Component]:
    """The image's interpreter, Python packages and Debian packages."""
    found = json.loads(run(image, "python", "-c", PYTHON))
    made = [Component(name="cpython", version=found["python"], type=ComponentType.PLATFORM, bom_ref="cpython")]
    for name, version in found["distributions"]:
        url = PackageURL("pypi", name=re.sub(r"[-_.]+", "-", name).lower(), version=version)
        made.append(Component(name=name, version=version, purl=url, bom_ref=str(url)))
    release = dict(re.findall(r"^(\w+)=\"?(.*?)\"?$", run(image, "cat", "/etc/os-release"), re.MULTILINE))
    for line in run(image, "dpkg-query", "--show", "--showformat=${Package} ${Version} ${Architecture}\n").splitlines():
        name, version, architecture = line.split()
        distro = {"arch": architecture, "distro": f"{release['ID']}-{release['VERSION_ID']}"}
        url = PackageURL("deb", release["ID"], name, version, distro)
        made.append(Component(name=name, version=version, purl=url, bom_ref=str(url)))
    return made


def listing(image: str, found: list[Component]) -> str:
    """The list as a CycloneDX document, which its schema accepts."""
    bom = Bom(components=found)
    bom.metadata.component = Component(name=OWN, type=ComponentType.CONTAINER, bom_ref=image)
    bom.register_dependency(bom.metadata.component, found)
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    refused = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert refused is None, refused
    return text


def index() -> str:
    """The site of the package index that pip installs from, as pip's configuration or its own help names it."""
    pip = (sys.executable, "-m", "pip")
    set_ = subprocess.run([*pip, "config", "get", "global.index-url"], capture_output=True, text=True, check=False)
    told = subprocess.run([*pip, "install", "--help"], capture_output=True, text=True, check=True)
    [default] = re.findall(r"\(default\s+(https?://\S+?)/simple/?\)", told.stdout)
    return re.sub(r"/simple/?$", "", set_.stdout.strip()) or str(default)


def known_faults(site: str, package: Component) -> list[str] | None:
    """The known faults of a Python package in its version; None where the index does not tell.

    The index tells them on the page of each release, and on that of the project for its newest release.
    """
    for page in (f"{package.name}/{package.version}", package.name):
        try:
            with urllib.request.urlopen(f"{site}/pypi/{page}/json", timeout=30) as answer:
                told: dict[str, Any] = json.load(answer)
        except (OSError, ValueError):  # not there, not reached, or no JSON
            continue
        if told["info"]["version"] == package.version and isinstance(told.get("vulnerabilities"), list):
            return [fault["id"] for fault in told["vulnerabilities"] if not fault.get("withdrawn")]
    return None


def outdated(image: str) -> tuple[bool, str] | None:
    """Whether Debian's security updates are among the image's sources, and what these have a newer version of.

    None where the sources can't be reached.
    """
    update = "apt-get -qq -o APT::Update::Error-Mode=any update >&2"
    script = f"{update}; apt-get indextargets --format '$(RELEASE)'; apt-get -qq --simulate dist-upgrade"
    try:
        lines = run(image, "sh", "-euc", script, user="0").splitlines()
    except subprocess.CalledProcessError:
        return None
    newer = [line.removeprefix("Inst ") for line in lines if line.startswith("Inst ")]
    return any(line.endswith("-security") for line in lines), "\n".join(newer)


def main(image: str, file: str) -> int:
    """Write the list, look everything up, and say what was found."""
    found = components(image)
    Path(file).write_text(listing(image, found))
    kinds = {kind: [part for part in found if part.purl and part.purl.type == kind] for kind in ("pypi", "deb")}
    print(f"{len(kinds['pypi'])} Python packages and {len(kinds['deb'])} Debian packages are in the image")

    others = [package for package in kinds["pypi"] if package.name != OWN]
    site = index()
    with ThreadPoolExecutor(4) as threads:
        told = dict(zip(others, threads.map(lambda package: known_faults(site, package), others), strict=True))
    faulty = {package: faults for package, faults in told.items() if faults}
    silent = [package for package, faults in told.items() if faults is None]
    print(f"Python packages looked up for known faults: {len(others) - len(silent)} of {len(others)}")
    for package in silent:
        print(f"  NOT looked up, the index tells nothing of this version: {package.name} {package.version}")
    for package, faults in faulty.items():
        print(f"  FAULTY: {package.name} {package.version}: {', '.join(faults)}")

    looked_up = outdated(image)
    if looked_up is None:
        print("Debian packages: NOT looked up, their sources can't be reached")
        return 1 if faulty else 0
    has_security, newer = looked_up
    if not has_security:
        print("Debian packages: the security updates are NOT among the image's sources")
    if newer:
        print(f"Debian packages: OUTDATED, there is a newer version of\n{newer}")
    else:
        print("Debian packages: each has the newest version that its sources have")
    print("Faults that Debian knows of and has not mended yet are NOT looked up")
    return 1 if faulty or newer else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
