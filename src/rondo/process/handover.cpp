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

constexpr const char* environment_variable = "RONDO_HANDOVER";
constexpr std::string_view format_line = "rondo 2";
constexpr std::array<std::string_view, 4> kind_names{"none", "reload", "check", "upgrade"};

// Escapes white space, which separates the fields and lines of the file.
std::string escape(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (static_cast<unsigned char>(c) <= 0x20 || c == '%')
            out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
        else out += c;
    }
    return out;
}

template <class T>
T parse_field(std::string_view text, int base = 10) {
    const std::optional<T> n = parse_number<T>(text, base);
    if (!n) throw std::runtime_error(fmt::format("{}: '{}' is not a number", environment_variable, text));
    return *n;
}

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            out += static_cast<char>(parse_field<unsigned>(text.substr(i + 1, 2), 16));
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

unique_fd parse_descriptor(std::string_view text) {
    int fd = parse_field<int>(text);
    set_close_on_exec(fd, true);
    return unique_fd(fd);
}

using line_fields = std::vector<std::string_view>;

void parse_line(handover& to, const line_fields& w) {
    auto is = [&w](std::string_view name, std::size_t fields) { return w[0] == name && w.size() == fields + 1; };
    if (is("kind", 1)) {
        auto found = std::ranges::find(kind_names, w[1]);
        if (found == kind_names.end())
            throw std::runtime_error(fmt::format("{}: unknown kind '{}'", environment_variable, w[1]));
        to.reason = static_cast<handover::kind>(found - kind_names.begin());
    } else if (is("old_arbiter", 1)) {
        to.old_arbiter = parse_field<pid_t>(w[1]);
    } else if (is("new_arbiter", 1)) {
        to.new_arbiter = parse_field<pid_t>(w[1]);
    } else if (is("generation", 1)) {
        to.generation = parse_field<unsigned>(w[1]);
    } else if (is("pid_file", 1)) {
        to.pid_file = unescape(w[1]);
    } else if (is("wakeup", 1)) {
        to.wakeup_fd = parse_descriptor(w[1]);
    } else if (is("commands", 2)) {
        to.commands = {parse_descriptor(w[1]), parse_descriptor(w[2])};
    } else if (is("socket", 6)) {
        to.listeners.push_back(
            {unescape(w[2]), unescape(w[3]), {}, unescape(w[4]), socket_file::from_path(unescape(w[5])), w[6] == "1"});
        if (int fd = parse_field<int>(w[1]); fd >= 0) to.listeners.back().fd = parse_descriptor(w[1]);
    } else if (is("file", 2) && !to.listeners.empty()) {
        // Belongs to the socket line before it; earlier versions did not write it.
        to.listeners.back().file.device = parse_field<std::uint64_t>(w[1]);
        to.listeners.back().file.inode = parse_field<std::uint64_t>(w[2]);
    } else if (is("table", 2)) {
        to.tables.push_back({unescape(w[2]), parse_descriptor(w[1])});
    } else if (is("child", 5)) {
        to.children.push_back({parse_field<pid_t>(w[1]), parse_field<unsigned>(w[2]), parse_field<std::size_t>(w[3]),
                               w[4] == "1", unescape(w[5])});
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

handover handover::from_environment() {
    const char* value = std::getenv(environment_variable);
    if (!value) return {};
    auto parts = split(value, ':');
    bool mine = parts.size() == 2 && parse_field<pid_t>(parts[1]) == getpid();
    unique_fd file(mine ? parse_field<int>(parts[0]) : -1);
    unsetenv(environment_variable);
    return file ? parse(read_file(file.value())) : handover();
}

std::optional<managed_listener> handover::take_listener(std::string_view group, std::string_view key) {
    auto found =
        std::ranges::find_if(listeners, [&](const managed_listener& s) { return s.group == group && s.key == key; });
    if (found == listeners.end()) return std::nullopt;
    managed_listener s = std::move(*found);
    listeners.erase(found);
    return s;
}

std::string handover::text() const {
    std::string out = fmt::format("{}\nkind\t{}\nold_arbiter\t{}\nnew_arbiter\t{}\ngeneration\t{}\n", format_line,
                                  kind_names[static_cast<std::size_t>(reason)], old_arbiter, new_arbiter, generation);
    if (!pid_file.empty()) out += fmt::format("pid_file\t{}\n", escape(pid_file));
    if (wakeup_fd) out += fmt::format("wakeup\t{}\n", wakeup_fd.value());
    if (commands.reader && commands.writer)
        out += fmt::format("commands\t{}\t{}\n", commands.reader.value(), commands.writer.value());
    for (const managed_listener& s : listeners) {
        out += fmt::format("socket\t{}\t{}\t{}\t{}\t{}\t{}\n", s.fd.value(), escape(s.group), escape(s.key),
                           escape(s.url), escape(s.file.path), s.externally_owned ? 1 : 0);
        if (!s.file.empty()) out += fmt::format("file\t{}\t{}\n", s.file.device, s.file.inode);
    }
    for (const table& t : tables) out += fmt::format("table\t{}\t{}\n", t.fd.value(), escape(t.group));
    for (const process& p : children)
        out += fmt::format("child\t{}\t{}\t{}\t{}\t{}\n", p.pid, p.generation, p.slot, p.terminating ? 1 : 0,
                           escape(p.group));
    return out;
}

handover handover::parse(std::string_view text) {
    handover result;
    auto lines = split(text, '\n');
    if (lines.front() != format_line)
        throw std::runtime_error(fmt::format("{}: written by an incompatible version of Rondo", environment_variable));
    for (std::string_view line : lines) parse_line(result, split(line, '\t'));
    return result;
}

void handover::pass_descriptors(bool pass) const noexcept {
    for (const unique_fd* fd : {&wakeup_fd, &commands.reader, &commands.writer})
        if (*fd) set_close_on_exec(fd->value(), !pass);
    for (const managed_listener& s : listeners)
        if (s.fd) set_close_on_exec(s.fd.value(), !pass);
    for (const table& t : tables) set_close_on_exec(t.fd.value(), !pass);
}

void handover::export_to_environment(pid_t to) const {
    int file = memfd_create("rondo:handover", 0);
    if (file < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
    write_file(file, text());
    setenv(environment_variable, fmt::format("{}:{}", file, to).c_str(), 1);
    pass_descriptors(true);
}

void handover::unset_environment() const noexcept {
    if (const char* value = std::getenv(environment_variable)) close(std::atoi(value));
    unsetenv(environment_variable);
    pass_descriptors(false);
}

}  // namespace rondo::process
