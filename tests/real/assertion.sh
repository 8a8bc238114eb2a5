#!/usr/bin/env bash
# A client assertion made by openssl alone: assertion.sh ES256|RS256 KEY.pem KID CLIENT ISSUER
set -euo pipefail
alg=$1 key=$2 kid=$3 client=$4 issuer=$5
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
now=$(date +%s)
header=$(printf '{"alg":"%s","kid":"%s","typ":"client-authentication+jwt"}' "$alg" "$kid" | base64url)
claims=$(printf '{"iss":"%s","sub":"%s","aud":"%s","jti":"%s","iat":%d,"exp":%d}' \
    "$client" "$client" "$issuer" "$(openssl rand -hex 16)" "$now" "$((now + 60))" | base64url)
input="$header.$claims"
if [ "$alg" = RS256 ]; then
    signature=$(printf '%s' "$input" | openssl dgst -sha256 -sign "$key" -binary | base64url)
else
    # RFC 7518 3.4 wants r and s side by side, 32 octets each; openssl gives them as two DER integers.
    signature=$(printf '%s' "$input" | openssl dgst -sha256 -sign "$key" -binary | openssl asn1parse -inform DER |
        sed -n 's/.*INTEGER *://p' | while read -r number; do printf '%64s' "$number" | tr ' ' 0; done |
        sed 's/../\\x&/g' | xargs -0 printf '%b' | base64url)
fi
printf '%s.%s\n' "$input" "$signature"
