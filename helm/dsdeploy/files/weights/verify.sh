# verify.py for an image without Python: needs sh, sha256sum, stat, mv. The same policies, except that a sample is the
# files whose turn it is by the clock: each start takes others.
set -eu
policy=$1 sample_bytes=$2 manifest=$3 folder=$4
stamp="$folder/.dsdeploy-verified"

seen() {
  while read -r sha256 size name; do
    echo "$sha256 $(stat -c '%s %Y' "$folder/$name") $name"
  done <"$manifest"
}

total=0
while read -r sha256 size name; do
  [ -f "$folder/$name" ] || { echo "$name: no such file" >&2; exit 1; }
  found=$(stat -L -c %s "$folder/$name")
  [ "$found" = "$size" ] || { echo "$name: $found bytes instead of $size" >&2; exit 1; }
  total=$((total + size))
done <"$manifest"

state=$(seen)
if [ "$policy" = stamp ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ]; then
  echo "the files are unchanged since they were verified"
  exit 0
fi
every=1
[ "$policy" = sample ] && [ "$sample_bytes" -lt "$total" ] && every=$((total / sample_bytes + 1))
turn=$(($(date +%s) % every))
number=0
while read -r sha256 size name; do
  number=$((number + 1))
  [ $((number % every)) -eq "$turn" ] || continue
  set -- $(sha256sum <"$folder/$name")
  [ "$1" = "$sha256" ] || { echo "$name: SHA-256 differs from the manifest" >&2; exit 1; }
  echo "$name verified"
done <"$manifest"
[ "$(seen)" = "$state" ] || { echo "the weights changed while they were verified" >&2; exit 1; }
if [ "$policy" = stamp ]; then
  { echo "$state" >"$stamp.$$" && mv "$stamp.$$" "$stamp"; } 2>/dev/null ||
    echo "no stamp could be written: the next start hashes everything again"
fi
