# shellcheck shell=bash
# The certificate that the load balancers serve on port 443: signed by itself, made once.

TLS_FILE=$LAB_DIR/tls/edge.pem

# make_certificate FILE DAYS: certificate and key in one file, as HAProxy reads them.
make_certificate() {
    local key=$1.key
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$key" -out "$1" \
        -days "$2" -subj /CN=www.lab.example -addext "subjectAltName=DNS:www.lab.example,IP:$PUBLIC_VIP" 2>/dev/null ||
        die "openssl cannot make a certificate" "openssl version"
    cat "$key" >>"$1"
    rm -f "$key"
    chmod 0600 "$1"
}

# A lab that is older than the certificate gets a new one.
ensure_certificate() {
    openssl x509 -in "$TLS_FILE" -noout -checkend $((90 * 86400)) >/dev/null 2>&1 && return 0
    install -d -m 0700 "${TLS_FILE%/*}"
    make_certificate "$TLS_FILE" 365
}
