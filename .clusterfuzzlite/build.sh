#!/bin/bash -eu
# Build the fuzz targets as OSS-Fuzz and ClusterFuzzLite want them: for each one a program in $OUT, and beside it
# its corpus, dictionary and options. Their image brings compile_python_fuzzer and atheris; docs/fuzzing.md.
cd "${MTWIRE:-$SRC/mtwire}"
sources=$(mktemp -d)

pip3 install ".[testing]"
python3 -m tests.fuzz.packing "$sources" "$OUT"

# What PyInstaller does not see by itself: modules imported by name, files that are read.
bring=(
  --paths "$PWD"
  --collect-submodules tl
  --collect-submodules mtproto
  --copy-metadata gmpy2
  --add-data "$PWD/schema:schema"
  --add-data "$PWD/tests/fuzz/rare.tl:tests/fuzz"
  --add-data "$PWD/tests/mtproto/crypto/test_key.pem:tests/mtproto/crypto"
  --add-data "$PWD/tests/vectors:tests/vectors"
)
for source in "$sources"/fuzz_*.py; do
  compile_python_fuzzer "$source" "${bring[@]}"
done
