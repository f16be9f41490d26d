// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/stack_trace.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include <cxxabi.h>
#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <unistd.h>

namespace rondo {

namespace {

// Maximum number of signal handling frames above the interrupted one.
constexpr std::size_t handler_frames = 16;

std::string demangled(const char* name) {
    if (!name) return {};
    int status = 0;
    std::unique_ptr<char, decltype(&std::free)> plain(abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
    return status == 0 && plain ? plain.get() : name;
}

// Uses only debug information in the files themselves: a search for more could query a debuginfod server.
int skip_debuginfo_lookup(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word, char**) {
    return -1;
}

struct source_location {
    std::string file;
    int line = 0;
};

// dwfl_module_getsrc() needs .debug_aranges, which Clang does not write; the compilation units have address ranges too.
Dwarf_Die* find_compilation_unit(Dwfl_Module* module, std::uintptr_t address, Dwarf_Addr& bias) {
    Dwarf_Die* unit = nullptr;
    while ((unit = dwfl_module_nextcu(module, unit, &bias)) && dwarf_haspc(unit, address - bias) != 1) {
    }
    return unit;
}

source_location find_source_line(Dwarf_Die* unit, Dwarf_Addr address) {
    source_location p;
    Dwarf_Line* line = dwarf_getsrc_die(unit, address);
    const char* file = line ? dwarf_linesrc(line, nullptr, nullptr) : nullptr;
    if (file && dwarf_lineno(line, &p.line) == 0) p.file = file;
    return p;
}

// The source location of the call of an inlined function.
source_location find_call_location(Dwarf_Die* unit, Dwarf_Die* inlined) {
    source_location p;
    Dwarf_Attribute attribute{};
    Dwarf_Word file = 0;
    Dwarf_Word line = 0;
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) != 0 ||
        dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) != 0 ||
        dwarf_getsrcfiles(unit, &files, &count) != 0)
        return p;
    if (const char* name = dwarf_filesrc(files, file, nullptr, nullptr)) p = {name, static_cast<int>(line)};
    return p;
}

std::string function_name(Dwarf_Die* function) {
    Dwarf_Attribute attribute{};
    if (const char* name = dwarf_formstring(dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute)))
        return demangled(name);
    const char* name = dwarf_diename(function);
    return name ? name : "";
}

struct dwfl_deleter {
    void operator()(Dwfl* d) const noexcept { dwfl_end(d); }
};

class symbolizer {
public:
    symbolizer() : dwfl_(dwfl_begin(&callbacks_)) {
        if (!dwfl_) return;
        bool read = dwfl_linux_proc_report(dwfl_.get(), getpid()) == 0;
        if (dwfl_report_end(dwfl_.get(), nullptr, nullptr) != 0 || !read) dwfl_.reset();
    }

    // Appends the function that contains `within`, preceded by the functions inlined there.
    void describe(std::uintptr_t address, std::uintptr_t within, std::vector<stack_trace::frame>& to) const {
        stack_trace::frame f{.address = address, .function = {}, .file = {}};
        if (Dwfl_Module* module = dwfl_ ? dwfl_addrmodule(dwfl_.get(), within) : nullptr) {
            f.function = demangled(dwfl_module_addrname(module, within));
            Dwarf_Addr bias = 0;
            if (Dwarf_Die* unit = find_compilation_unit(module, within, bias)) {
                source_location source = add_inlined(unit, address, within - bias, to);
                f.file = source.file;
                f.line = source.line;
            }
        }
        Dl_info info{};
        if (f.function.empty() && dladdr(reinterpret_cast<void*>(within), &info))
            f.function = demangled(info.dli_sname);
        to.push_back(std::move(f));
    }

private:
    // Returns the location in the enclosing function that is not inlined. Skips functions of the standard library.
    static source_location add_inlined(Dwarf_Die* unit, std::uintptr_t address, Dwarf_Addr within,
                                       std::vector<stack_trace::frame>& to) {
        source_location source = find_source_line(unit, within);
        // Beyond the innermost inlined function, dwarf_getscopes() returns where that is defined, not its callers.
        Dwarf_Die* innermost = nullptr;
        if (dwarf_getscopes(unit, within, &innermost) <= 0) return source;
        std::unique_ptr<Dwarf_Die, decltype(&std::free)> keep_innermost(innermost, std::free);
        Dwarf_Die* scopes = nullptr;
        int count = dwarf_getscopes_die(innermost, &scopes);
        std::unique_ptr<Dwarf_Die, decltype(&std::free)> keep_scopes(scopes, std::free);
        for (int i = 0; i < count && dwarf_tag(&scopes[i]) != DW_TAG_subprogram; ++i) {
            if (dwarf_tag(&scopes[i]) != DW_TAG_inlined_subroutine) continue;
            std::string name = function_name(&scopes[i]);
            if (!name.empty() && !source.file.empty() && !source.file.starts_with("/usr/"))
                to.push_back(
                    {.address = address, .function = std::move(name), .file = source.file, .line = source.line});
            source = find_call_location(unit, &scopes[i]);
        }
        return source;
    }

    Dwfl_Callbacks callbacks_{.find_elf = dwfl_linux_proc_find_elf,
                              .find_debuginfo = skip_debuginfo_lookup,
                              .section_address = nullptr,
                              .debuginfo_path = nullptr};
    std::unique_ptr<Dwfl, dwfl_deleter> dwfl_;
};

}  // namespace

void stack_trace::prepare() noexcept {
    // The first call of backtrace() loads the unwinder, which allocates.
    static const int loaded = [] {
        void* frame[1];
        return backtrace(frame, 1);
    }();
    static_cast<void>(loaded);
}

void stack_trace::capture(std::uintptr_t from) noexcept {
    std::array<void*, max_frames + handler_frames> raw;
    int n = backtrace(raw.data(), static_cast<int>(raw.size()));
    auto first = raw.begin();
    auto last = raw.begin() + std::max(n, 0);
    auto found = std::find(first, last, reinterpret_cast<void*>(from));
    interrupted_ = found != last;
    if (interrupted_) first = found;
    size_ = std::min<std::size_t>(static_cast<std::size_t>(last - first), max_frames);
    for (std::size_t i = 0; i < size_; ++i)
        addresses_[i] = reinterpret_cast<std::uintptr_t>(first[static_cast<std::ptrdiff_t>(i)]);
}

std::vector<stack_trace::frame> stack_trace::frames() const {
    symbolizer names;
    std::vector<frame> result;
    result.reserve(size_);
    for (std::size_t i = 0; i < size_; ++i) {
        bool exact = i == 0 && interrupted_;
        // The address after a call that does not return may belong to the next function.
        names.describe(addresses_[i], addresses_[i] - (exact ? 0 : 1), result);
    }
    return result;
}

std::string stack_trace::text(const char* until) const {
    std::string lines;
    for (const frame& f : frames()) {
        if (until && !lines.empty() && f.function.starts_with(until)) break;
        if (!lines.empty()) lines += '\n';
        lines += f.function.empty() ? fmt::format("{:#x}", f.address) : f.function;
        if (!f.file.empty()) lines += fmt::format(" at {}:{}", f.file, f.line);
    }
    return lines;
}

}  // namespace rondo
