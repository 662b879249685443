#!/usr/bin/env bash
# Certificates for the tests of TLS: two authorities, and what each of them says of a broker or of an agent.
#
#   certificates.sh DIR    writes NAME.pem (certificate), NAME.key (PKCS #8) and, for brokers, NAME-store.pem (both)
#
# Everything is good for one day, but for what is expired.
set -euo pipefail
[ $# = 1 ] || { echo "certificates: say where: certificates.sh DIR" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

CURVE=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

# authority NAME
authority() {
    openssl req -x509 "${CURVE[@]}" -days 1 -subj "/CN=viewtail test authority $1" -keyout "$1.key" -out "$1.pem"
}

# issue NAME AUTHORITY DAYS SUBJECT_ALTERNATIVE_NAMES; negative days give a certificate that has expired.
issue() {
    openssl req -new "${CURVE[@]}" -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$3" -out "$1.pem" \
        -extfile <(echo "subjectAltName=$4")
    cat "$1.key" "$1.pem" "$2.pem" >"$1-store.pem"
}

{
    authority ours
    authority foreign
    issue broker ours 1 DNS:localhost,IP:127.0.0.1
    issue elsewhere ours 1 DNS:broker.example.com
    issue outdated ours -1 DNS:localhost,IP:127.0.0.1
    issue agent ours 1 DNS:agent.example.com
    issue agent-expired ours -1 DNS:agent.example.com
    issue agent-foreign foreign 1 DNS:agent.example.com
    # The same agent, its key locked with the word that the tests look for in every output.
    openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:canary-4b1d -in agent.key -out agent-locked.key
} 2>openssl.log || { echo "certificates: openssl failed: $(tail -n 3 openssl.log)" >&2; exit 1; }
