// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/handover.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rondo/base/parse_number.hpp>

namespace rondo::process {

namespace {

constexpr const char* variable = "RONDO_INHERIT";
constexpr std::string_view first_line = "rondo 1";
constexpr std::array<std::string_view, 4> kinds{"none", "reload", "check", "upgrade"};

// Escapes white space, which separates the fields and lines of the file.
std::string escaped(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (static_cast<unsigned char>(c) <= 0x20 || c == '%')
            out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
        else out += c;
    }
    return out;
}

template <class T>
T number(std::string_view text, int base = 10) {
    const std::optional<T> n = parse_number<T>(text, base);
    if (!n) throw std::runtime_error(fmt::format("{}: '{}' is not a number", variable, text));
    return *n;
}

std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            out += static_cast<char>(number<unsigned>(text.substr(i + 1, 2), 16));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> parts;
    for (;;) {
        std::size_t end = text.find(at);
        parts.push_back(text.substr(0, end));
        if (end == text.npos) return parts;
        text.remove_prefix(end + 1);
    }
}

unique_fd descriptor(std::string_view text) {
    int fd = number<int>(text);
    close_on_exec(fd, true);
    return unique_fd(fd);
}

using words = std::vector<std::string_view>;

void read_line(inheritance& to, const words& w) {
    auto is = [&w](std::string_view name, std::size_t fields) { return w[0] == name && w.size() == fields + 1; };
    if (is("kind", 1)) {
        auto found = std::ranges::find(kinds, w[1]);
        if (found == kinds.end()) throw std::runtime_error(fmt::format("{}: unknown kind '{}'", variable, w[1]));
        to.what = static_cast<inheritance::kind>(found - kinds.begin());
    } else if (is("from", 1)) {
        to.from = number<pid_t>(w[1]);
    } else if (is("beside", 1)) {
        to.beside = number<pid_t>(w[1]);
    } else if (is("generation", 1)) {
        to.generation = number<unsigned>(w[1]);
    } else if (is("pid_file", 1)) {
        to.pid_file = unescaped(w[1]);
    } else if (is("notify", 1)) {
        to.notify = descriptor(w[1]);
    } else if (is("orders", 2)) {
        to.orders = {descriptor(w[1]), descriptor(w[2])};
    } else if (is("socket", 6)) {
        to.sockets.push_back(
            {unescaped(w[2]), unescaped(w[3]), {}, unescaped(w[4]), socket_file::at(unescaped(w[5])), w[6] == "1"});
        if (int fd = number<int>(w[1]); fd >= 0) to.sockets.back().fd = descriptor(w[1]);
    } else if (is("file", 2) && !to.sockets.empty()) {
        // Belongs to the socket line before it; earlier versions did not write it.
        to.sockets.back().file.device = number<std::uint64_t>(w[1]);
        to.sockets.back().file.inode = number<std::uint64_t>(w[2]);
    } else if (is("table", 2)) {
        to.tables.push_back({unescaped(w[2]), descriptor(w[1])});
    } else if (is("child", 5)) {
        to.children.push_back(
            {number<pid_t>(w[1]), number<unsigned>(w[2]), number<std::size_t>(w[3]), w[4] == "1", unescaped(w[5])});
    }
    // Unknown lines of later versions are ignored.
}

std::string read_file(int fd) {
    std::string text;
    char part[4096];
    for (ssize_t n = 0; (n = pread(fd, part, sizeof part, static_cast<off_t>(text.size()))) > 0;)
        text.append(part, static_cast<std::size_t>(n));
    return text;
}

void write_file(int fd, std::string_view text) {
    while (!text.empty()) {
        ssize_t n = write(fd, text.data(), text.size());
        if (n < 0) throw std::system_error(errno, std::generic_category(), "writing the handover file");
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

}  // namespace

inheritance inheritance::take() {
    const char* value = std::getenv(variable);
    if (!value) return {};
    auto parts = split(value, ':');
    bool mine = parts.size() == 2 && number<pid_t>(parts[1]) == getpid();
    unique_fd file(mine ? number<int>(parts[0]) : -1);
    unsetenv(variable);
    return file ? parse(read_file(file.value())) : inheritance();
}

std::optional<kept_socket> inheritance::socket_of(std::string_view group, std::string_view key) {
    auto found = std::ranges::find_if(sockets, [&](const kept_socket& s) { return s.group == group && s.key == key; });
    if (found == sockets.end()) return std::nullopt;
    kept_socket s = std::move(*found);
    sockets.erase(found);
    return s;
}

std::string inheritance::text() const {
    std::string out = fmt::format("{}\nkind\t{}\nfrom\t{}\nbeside\t{}\ngeneration\t{}\n", first_line,
                                  kinds[static_cast<std::size_t>(what)], from, beside, generation);
    if (!pid_file.empty()) out += fmt::format("pid_file\t{}\n", escaped(pid_file));
    if (notify) out += fmt::format("notify\t{}\n", notify.value());
    if (orders.reader && orders.writer)
        out += fmt::format("orders\t{}\t{}\n", orders.reader.value(), orders.writer.value());
    for (const kept_socket& s : sockets) {
        out += fmt::format("socket\t{}\t{}\t{}\t{}\t{}\t{}\n", s.fd.value(), escaped(s.group), escaped(s.key),
                           escaped(s.url), escaped(s.file.path), s.foreign ? 1 : 0);
        if (!s.file.empty()) out += fmt::format("file\t{}\t{}\n", s.file.device, s.file.inode);
    }
    for (const table& t : tables) out += fmt::format("table\t{}\t{}\n", t.fd.value(), escaped(t.group));
    for (const process& p : children)
        out += fmt::format("child\t{}\t{}\t{}\t{}\t{}\n", p.pid, p.generation, p.slot, p.leaving ? 1 : 0,
                           escaped(p.group));
    return out;
}

inheritance inheritance::parse(std::string_view text) {
    inheritance result;
    auto lines = split(text, '\n');
    if (lines.front() != first_line)
        throw std::runtime_error(fmt::format("{}: written by an incompatible version of Rondo", variable));
    for (std::string_view line : lines) read_line(result, split(line, '\t'));
    return result;
}

void inheritance::pass_descriptors(bool pass) const noexcept {
    for (const unique_fd* fd : {&notify, &orders.reader, &orders.writer})
        if (*fd) close_on_exec(fd->value(), !pass);
    for (const kept_socket& s : sockets)
        if (s.fd) close_on_exec(s.fd.value(), !pass);
    for (const table& t : tables) close_on_exec(t.fd.value(), !pass);
}

void inheritance::leave_to(pid_t to) const {
    int file = memfd_create("rondo:inheritance", 0);
    if (file < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
    write_file(file, text());
    setenv(variable, fmt::format("{}:{}", file, to).c_str(), 1);
    pass_descriptors(true);
}

void inheritance::withdraw() const noexcept {
    if (const char* value = std::getenv(variable)) close(std::atoi(value));
    unsetenv(variable);
    pass_descriptors(false);
}

}  // namespace rondo::process
