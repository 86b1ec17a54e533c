#!/bin/sh
# Checks a dsdeploy bundle with tar, cat, sha256sum and openssl alone, and unpacks it on request.
# Usage: sh verify.sh PUBLIC_KEY FOLDER... [-x OUT]
# PUBLIC_KEY must have reached you by another way than the bundle; the same holds for this script.
set -eu
fail() { echo "FAILED: $*" >&2; exit 13; }
sums() { sha256sum -c "$1" > "$work/said" 2>&1 || { grep -v ': OK$' "$work/said" >&2; return 1; }; }  # busybox knows no --quiet
[ $# -ge 2 ] || fail "usage: sh verify.sh PUBLIC_KEY FOLDER... [-x OUT]"
key=$1; shift
out=; volumes=; head=
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
: > "$work/volumes"
while [ $# -gt 0 ]; do
  if [ "$1" = -x ]; then out=$2; shift 2; continue; fi
  [ -f "$1/dsdeploy-bundle.json" ] && head=$1
  for volume in "$1"/*.tar; do [ -f "$volume" ] && printf '%s\n' "$volume" >> "$work/volumes"; done
  shift
done
[ -n "$head" ] || fail "no folder holds dsdeploy-bundle.json"

# 1. The signature: one of those in the envelope must be the key's.
sig=$head/dsdeploy-bundle.sig
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
field payload < "$sig" | openssl base64 -d -A > "$work/payload"
type=application/vnd.in-toto+json
{ printf 'DSSEv1 %d %s %d ' ${#type} $type "$(wc -c < "$work/payload")"; cat "$work/payload"; } > "$work/message"
tr ',' '\n' < "$sig" | sed -n 's/^"sig":"\([^"]*\)".*/\1/p' > "$work/signatures"
signed=
while read -r one; do
  printf %s "$one" | openssl base64 -d -A > "$work/one"
  if openssl pkey -pubin -in "$key" -noout -text | grep -q 'ASN1 OID: SM2'; then
    openssl dgst -sm3 -sigopt distid:1234567812345678 -verify "$key" -signature "$work/one" "$work/message" > /dev/null 2>&1 && signed=yes
  elif openssl pkey -pubin -in "$key" -noout -text | grep -qi ed25519; then
    openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$work/message" -sigfile "$work/one" > /dev/null 2>&1 && signed=yes
  else
    openssl dgst -sha256 -verify "$key" -signature "$work/one" "$work/message" > /dev/null 2>&1 && signed=yes
  fi
done < "$work/signatures"
[ -n "$signed" ] || fail "no signature of this key over this bundle"

# 2. What was signed: the root and the texts beside it.
tr '{' '\n' < "$work/payload" | sed -n 's/^"sha256":"\([0-9a-f]*\)"},"name":"\([A-Za-z0-9._-]*\)".*/\1  \2/p' > "$work/texts"
grep -q '  EXTENTS.sha256$' "$work/texts" || fail "the statement names no EXTENTS.sha256"
(cd "$head" && sums "$work/texts") || fail "the root or a text beside it was altered"

# 3. Every member of every volume.
: > "$work/seen"
while read -r volume; do
  tar -tf "$volume" > "$work/members" || fail "$volume: not a whole tar"
  while read -r member; do
    want=$(grep "  $member\$" "$head/EXTENTS.sha256" | cut -c1-64)
    [ -n "$want" ] || fail "$volume: $member does not belong here"
    have=$(tar -xOf "$volume" "$member" | sha256sum | cut -c1-64)
    [ "$want" = "$have" ] || fail "$volume: $member was altered"
    printf '%s\n' "$member" >> "$work/seen"
  done < "$work/members"
  echo "ok: $volume"
done < "$work/volumes"
cut -c67- "$head/EXTENTS.sha256" | sort > "$work/wanted"
sort "$work/seen" | cmp -s - "$work/wanted" || fail "a volume is missing or lies here twice"

# 4. On request: join the extents and give the files their names.
[ -n "$out" ] || exit 0
mkdir -p "$out"
while read -r volume; do tar -xf "$volume" -C "$out"; done < "$work/volumes"
root=$head/SHA256SUMS
case $root in /*) ;; *) root=$PWD/$root ;; esac
cd "$out"
while read -r digest path; do
  set -- blobs/sha256/"$digest".*
  [ -f "$1" ] || { echo "in the base: $path"; continue; }
  mkdir -p "$(dirname "$path")"
  cat "$@" > "$path"
  printf '%s  %s\n' "$digest" "$path" >> "$work/joined"
done < "$root"
rm -r blobs
sums "$work/joined" || fail "a file differs"
