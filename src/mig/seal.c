/* Encryption of CONN_STATE payloads when the rack file says so: XChaCha20-Poly1305 (libsodium's
 * IETF construction), each fragment sealed on its own so that any one can be opened alone.
 *
 * Key: BLAKE2b of a fixed label under the rack key, so that tags and encryption never share one.
 * Nonce (24 bytes): mig_id, epoch, offset, origin, total. mig_id holds the origin's boot incarnation
 * and a counter that never repeats in one boot, and a frozen connection's encoding does not
 * change, so one nonce only ever meets one plaintext: what is retransmitted is the same bytes.
 * The flow key is authenticated along. Owns nothing; called by origin.c and target.c. */
#include "mig/message.h"

#include <sodium.h>

_Static_assert(CAPY_SEAL_LEN == crypto_aead_xchacha20poly1305_ietf_ABYTES, "authenticator length");

static const uint8_t SEAL_LABEL[] = "capybara conn_state seal 1";

struct seal_key {
    uint8_t b[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
};

struct seal_nonce {
    uint8_t b[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
};

static struct seal_key derive_key(struct capy_key rack_key)
{
    struct seal_key key;
    uint8_t rack[16];
    capy_store64(rack, rack_key.k0);
    capy_store64(rack + 8, rack_key.k1);
    crypto_generichash(key.b, sizeof key.b, SEAL_LABEL, sizeof SEAL_LABEL - 1u, rack, sizeof rack);
    return key;
}

static struct seal_nonce make_nonce(const struct capy_mig_msg *msg)
{
    struct seal_nonce n = {{0}};
    capy_store64(n.b, msg->mig_id);
    capy_store32(n.b + 8, msg->epoch);
    capy_store32(n.b + 12, msg->offset);
    capy_store16(n.b + 16, msg->origin);
    capy_store32(n.b + 18, msg->total);
    return n;
}

void capy_mig_seal(struct capy_key rack_key, const struct capy_mig_msg *msg, uint8_t *p,
                   uint32_t len)
{
    struct seal_key key = derive_key(rack_key);
    struct seal_nonce nonce = make_nonce(msg);
    crypto_aead_xchacha20poly1305_ietf_encrypt(p, NULL, p, len, (const uint8_t *)&msg->key,
                                               sizeof msg->key, NULL, nonce.b, key.b);
}

bool capy_mig_unseal(struct capy_key rack_key, const struct capy_mig_msg *msg,
                     const uint8_t *sealed, uint32_t sealed_len, uint8_t *out)
{
    struct seal_key key = derive_key(rack_key);
    struct seal_nonce nonce = make_nonce(msg);
    return sealed_len > CAPY_SEAL_LEN &&
           crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, sealed_len,
                                                      (const uint8_t *)&msg->key, sizeof msg->key,
                                                      nonce.b, key.b) == 0;
}
