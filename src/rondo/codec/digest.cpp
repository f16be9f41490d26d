// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/digest.hpp>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <climits>
#include <stdexcept>

namespace rondo::codec {
namespace {

template <class Digest>
Digest compute_digest(const EVP_MD* algorithm, std::string_view bytes) {
    Digest out;
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, algorithm, nullptr) != 1 || size != out.size()) {
        throw std::runtime_error("the crypto library failed to compute a digest");
    }
    return out;
}

}  // namespace

sha1_digest sha1(std::string_view bytes) { return compute_digest<sha1_digest>(EVP_sha1(), bytes); }

sha256_digest sha256(std::string_view bytes) { return compute_digest<sha256_digest>(EVP_sha256(), bytes); }

sha256_digest hmac_sha256(std::string_view key, std::string_view bytes) {
    // A key longer than the block is replaced by its digest (RFC 2104 section 2); this also keeps its size within an
    // int.
    constexpr std::size_t block_size = 64;
    sha256_digest short_key;
    if (key.size() > block_size) {
        short_key = sha256(key);
        key = as_text(short_key);
    }
    sha256_digest out;
    unsigned size = 0;
    // With a null key the library would reuse the key of the previous call.
    const void* const key_data = key.empty() ? static_cast<const void*>("") : key.data();
    if (HMAC(EVP_sha256(), key_data, static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
             bytes.size(), out.data(), &size) == nullptr) {
        throw std::runtime_error("the crypto library failed to compute an HMAC");
    }
    return out;
}

std::string hex(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) out += {digits[byte >> 4], digits[byte & 15]};
    return out;
}

bool constant_time_equal(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void fill_random(std::span<std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const std::size_t size = std::min<std::size_t>(bytes.size(), INT_MAX);
        if (RAND_bytes(bytes.data(), static_cast<int>(size)) != 1) {
            throw std::runtime_error("the crypto library failed to generate random bytes");
        }
        bytes = bytes.subspan(size);
    }
}

}  // namespace rondo::codec
