#!/usr/bin/env python3
"""What is linked into the binary for a target, and under which licences.

    components.py sbom x86_64-unknown-linux-gnu        a list of components in CycloneDX 1.5
    components.py licences x86_64-unknown-linux-gnu    which work is under which licence, and every text once

The C libraries that crates carry along are listed as components of their own: they are what advisories are about, and
no cargo tool sees them. A crate without the text of its licence is an error: no package must be made without it.
"""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tomllib

# C libraries, by the crate that compiles them in: name, licence, the file with its text, and how the crate's version
# says the library's.
LIBRARIES = {
    "libz-sys": ("zlib", "Zlib", "src/zlib/LICENSE", None),
    "openssl-src": ("openssl", "Apache-2.0", "openssl/LICENSE.txt", r"\+(.*)"),
    "rdkafka-sys": ("librdkafka", "BSD-2-Clause", "librdkafka/LICENSES.txt", r"\+(.*)"),
    "zstd-sys": ("zstd", "BSD-3-Clause", "zstd/LICENSE", r"\+zstd\.(.*)"),
}
# Data that is compiled in without being a crate.
CRAWLERS = pathlib.Path("src/event/data/crawler-user-agents")
TEXT_NAMES = re.compile(r"(?i)^(licen[cs]e|copying|notice|unlicense|copyright)([-._].*)?$")


def main():
    forms = {"sbom": print_sbom, "licences": print_licences}
    if len(sys.argv) != 3 or sys.argv[1] not in forms:
        sys.exit("components: say what of which target, as in: components.py sbom x86_64-unknown-linux-gnu")
    forms[sys.argv[1]](*linked_crates(sys.argv[2]))


def linked_crates(triple):
    """The root crate, and what is linked: normal dependencies without procedural macros, and sources that a build
    script compiles."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", triple]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    found, waiting = {}, [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            package = packages[dependency["pkg"]]
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            is_macro = any("proc-macro" in target["kind"] for target in package["targets"])
            is_source = package["name"] in LIBRARIES
            if package["id"] not in found and (is_source or is_linked and not is_macro):
                found[package["id"]] = package
                waiting.append(package["id"])
    return packages[root], sorted(found.values(), key=lambda package: (package["name"], package["version"]))


def library_version(crate):
    """The version of the C library that a crate carries: in the crate's version, or in zlib's own header."""
    pattern = LIBRARIES[crate["name"]][3]
    if pattern:
        return re.search(pattern, crate["version"]).group(1)
    header = (directory(crate) / "src/zlib/zlib.h").read_text(encoding="utf-8")
    return re.search(r'#define ZLIB_VERSION "(.*)"', header).group(1)


def directory(crate):
    return pathlib.Path(crate["manifest_path"]).parent


def print_sbom(root, crates):
    lock = tomllib.loads(pathlib.Path("Cargo.lock").read_text(encoding="utf-8"))
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}
    components = []
    for crate in crates:
        part = component("cargo", crate["name"], crate["version"], crate["license"])
        part["hashes"] = [{"alg": "SHA-256", "content": checksums[crate["name"], crate["version"]]}]
        components.append(part)
        if crate["name"] in LIBRARIES:
            name, licence, _, _ = LIBRARIES[crate["name"]]
            components.append(component("generic", name, library_version(crate), licence))
    version = (CRAWLERS / "VERSION").read_text(encoding="utf-8").strip()
    components.append(component("npm", "crawler-user-agents", version, "MIT"))
    itself = component("cargo", root["name"], root["version"], root["license"]) | {"type": "application"}
    # The same components have the same name, whenever and wherever they are listed.
    content = json.dumps(components, sort_keys=True).encode()
    name = hashlib.sha256(content).hexdigest()
    serial = f"urn:uuid:{name[:8]}-{name[8:12]}-4{name[13:16]}-a{name[17:20]}-{name[20:32]}"
    references = [part["bom-ref"] for part in components]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": serial,
        "version": 1,
        "metadata": {"component": itself},
        "components": components,
        "dependencies": [{"ref": itself["bom-ref"], "dependsOn": references}],
    }
    print(json.dumps(bom, indent=1))


def component(kind, name, version, licence):
    purl = f"pkg:{kind}/{name}@{version.replace('+', '%2B')}"
    # Before SPDX had OR, crates wrote a slash.
    expression = re.sub(r" */ *", " OR ", licence)
    part = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return part | {"licenses": [{"expression": expression}]}


def print_licences(_, crates):
    holders = {normal(CRAWLERS / "LICENSE"): ["crawler-user-agents (MIT), the list of crawlers"]}
    works = list(*holders.values())
    for crate in crates:
        texts = own_texts(crate)
        if not texts:
            sys.exit(f"components: {title(crate)} has no text of its licence at its top; name it in LIBRARIES")
        works.append(title(crate))
        for text in texts:
            holders.setdefault(text, []).append(title(crate))
    rule = "=" * 100
    print("viewtail contains the following works of others. Each is followed by its licence below.\n")
    for name in sorted(works):
        print(f"  {name}")
    for text, names in sorted(holders.items(), key=lambda item: (-len(item[1]), item[1])):
        print(f"\n{rule}\n")
        for name in sorted(set(names)):
            print(f"  {name}")
        print(f"\n{text}")


def own_texts(crate):
    """The texts at the top of a crate, and that of the library which it carries."""
    paths = sorted(path for path in directory(crate).iterdir() if path.is_file() and TEXT_NAMES.match(path.name))
    if crate["name"] in LIBRARIES:
        paths.append(directory(crate) / LIBRARIES[crate["name"]][2])
    return [normal(path) for path in paths]


def normal(path):
    """The text without what differs between copies of one text: ends of lines, space around it."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(line.rstrip() for line in lines).strip()


def title(crate):
    return f"{crate['name']} {crate['version']} ({crate['license']})"


main()
