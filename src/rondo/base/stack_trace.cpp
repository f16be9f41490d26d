// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/stack_trace.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include <cxxabi.h>
#include <dlfcn.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <unistd.h>

namespace rondo {

namespace {

// Frames above the interrupted one that belong to the signal's handling.
constexpr std::size_t handler_frames = 16;

std::string demangled(const char* name) {
    if (!name) return {};
    int status = 0;
    std::unique_ptr<char, decltype(&std::free)> plain(abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
    return status == 0 && plain ? plain.get() : name;
}

// Only what the files themselves carry: looking elsewhere may mean asking a server on the network.
int find_no_other_file(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word, char**) {
    return -1;
}

// dwfl_module_getsrc() needs .debug_aranges, which Clang does not write: the compilation units know their addresses
// too.
void find_line(Dwfl_Module* module, std::uintptr_t address, stack_trace::frame& f) {
    Dwarf_Addr bias = 0;
    for (Dwarf_Die* unit = nullptr; (unit = dwfl_module_nextcu(module, unit, &bias));) {
        if (dwarf_haspc(unit, address - bias) != 1) continue;
        Dwarf_Line* line = dwarf_getsrc_die(unit, address - bias);
        const char* file = line ? dwarf_linesrc(line, nullptr, nullptr) : nullptr;
        if (!file || dwarf_lineno(line, &f.line) != 0) return;
        f.file = file;
        return;
    }
}

struct end_dwfl {
    void operator()(Dwfl* d) const noexcept { dwfl_end(d); }
};

class symbols {
public:
    symbols() : dwfl_(dwfl_begin(&callbacks_)) {
        if (!dwfl_) return;
        bool read = dwfl_linux_proc_report(dwfl_.get(), getpid()) == 0;
        if (dwfl_report_end(dwfl_.get(), nullptr, nullptr) != 0 || !read) dwfl_.reset();
    }

    // `address` may belong to a call that does not return: it is `within` the instruction that is looked up.
    [[nodiscard]] stack_trace::frame describe(std::uintptr_t address, std::uintptr_t within) const {
        stack_trace::frame f{.address = address, .function = {}, .file = {}};
        if (Dwfl_Module* module = dwfl_ ? dwfl_addrmodule(dwfl_.get(), within) : nullptr) {
            f.function = demangled(dwfl_module_addrname(module, within));
            find_line(module, within, f);
        }
        Dl_info info{};
        if (f.function.empty() && dladdr(reinterpret_cast<void*>(within), &info))
            f.function = demangled(info.dli_sname);
        return f;
    }

private:
    Dwfl_Callbacks callbacks_{.find_elf = dwfl_linux_proc_find_elf,
                              .find_debuginfo = find_no_other_file,
                              .section_address = nullptr,
                              .debuginfo_path = nullptr};
    std::unique_ptr<Dwfl, end_dwfl> dwfl_;
};

}  // namespace

void stack_trace::prepare() noexcept {
    // The first call loads the unwinder, which allocates.
    static const int once = [] {
        void* one[1];
        return backtrace(one, 1);
    }();
    static_cast<void>(once);
}

void stack_trace::capture(std::uintptr_t from) noexcept {
    std::array<void*, most_frames + handler_frames> raw;
    int n = backtrace(raw.data(), static_cast<int>(raw.size()));
    auto first = raw.begin();
    auto last = raw.begin() + std::max(n, 0);
    auto found = std::find(first, last, reinterpret_cast<void*>(from));
    interrupted_ = found != last;
    if (interrupted_) first = found;
    size_ = std::min<std::size_t>(static_cast<std::size_t>(last - first), most_frames);
    for (std::size_t i = 0; i < size_; ++i)
        addresses_[i] = reinterpret_cast<std::uintptr_t>(first[static_cast<std::ptrdiff_t>(i)]);
}

std::vector<stack_trace::frame> stack_trace::frames() const {
    symbols names;
    std::vector<frame> all;
    all.reserve(size_);
    for (std::size_t i = 0; i < size_; ++i) {
        bool exact = i == 0 && interrupted_;
        all.push_back(names.describe(addresses_[i], addresses_[i] - (exact ? 0 : 1)));
    }
    return all;
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
