// SPDX-License-Identifier: Apache-2.0
// Certificates for tests, made with the openssl program in a temporary folder.
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>

#include <unistd.h>

namespace rondo::testing {

class certificates {
public:
    certificates() {
        char pattern[] = "/tmp/rondo-tls-XXXXXX";
        if (!::mkdtemp(pattern)) throw std::runtime_error("cannot create a temporary folder");
        folder_ = pattern;
        openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=authority -keyout ca.key "
            "-out "
            "ca.pem");
    }
    ~certificates() { (void)!std::system(("rm -r " + folder_).c_str()); }
    certificates(const certificates&) = delete;
    certificates& operator=(const certificates&) = delete;

    [[nodiscard]] std::string file(const std::string& name) const { return folder_ + "/" + name; }
    [[nodiscard]] std::string ca_file() const { return file("ca.pem"); }

    /// Makes NAME.pem and NAME.key, signed by the CA, for the subjectAltName `names` ("DNS:a,IP:127.0.0.1").
    void make(const std::string& name, const std::string& names, const std::string& validity = "-days 30") {
        openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name + " -keyout " + name +
                ".key -out " + name + ".csr");
        run("printf 'subjectAltName=" + names + "\\n' > " + file(name + ".ext"));
        openssl("x509 -req -in " + name + ".csr -CA ca.pem -CAkey ca.key -CAcreateserial " + validity + " -extfile " +
                name + ".ext -out " + name + ".pem");
    }
    void self_signed(const std::string& name) {
        openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost -addext "
            "subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " +
            name + ".key -out " + name + ".pem");
    }

private:
    void openssl(const std::string& arguments) { run("cd " + folder_ + " && openssl " + arguments + " 2>/dev/null"); }
    static void run(const std::string& command) {
        if (std::system(command.c_str()) != 0) throw std::runtime_error("command failed: " + command);
    }

    std::string folder_;
};

}  // namespace rondo::testing
