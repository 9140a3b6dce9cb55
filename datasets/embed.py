#!/usr/bin/env python3
"""usage: embed.py OUTPUT.cpp FILE.yaml...

Writes the data-set descriptions as C++, so that the program needs no files beside it. Their order is by name.
"""
import pathlib
import sys


def main(output, files):
    entries = []
    for file in sorted(map(pathlib.Path, files), key=lambda path: path.stem):
        text = file.read_text(encoding="utf-8")
        assert ')yaml"' not in text, file
        entries.append(f'    {{"{file.stem}", R"yaml({text})yaml"}},\n')
    source = (
        "// Made by datasets/embed.py.\n"
        '#include "data/embedded.h"\n\n'
        "namespace compress::data {\n\n"
        "namespace {\n\n"
        "constexpr EmbeddedFile kDatasets[] = {\n" + "".join(entries) + "};\n\n"
        "}  // namespace\n\n"
        "std::span<const EmbeddedFile> embedded_datasets() { return kDatasets; }\n\n"
        "}  // namespace compress::data\n"
    )
    pathlib.Path(output).write_text(source, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
