// SPDX-License-Identifier: Apache-2.0
// A Python application as the command line serves it.
// Implemented in python_served.cpp and module.cpp, which is the entry of the extension module.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <rondo/cli/served.hpp>
#include <rondo/loop/timer.hpp>
#include <rondo/process/fork_hooks.hpp>
#include <rondo/python/asgi_application.hpp>
#include <rondo/python/loop_driver.hpp>
#include <rondo/python/loop_gil.hpp>
#include <rondo/python/python_stacks.hpp>

namespace rondo::python {

/// Serves the ASGI application that the command line names. One per process, created with the GIL on the main thread.
class python_served final : public cli::served, process::fork_hooks {
public:
    python_served();
    ~python_served() override;

    /// Takes the GIL again if the arbiter has given it back.
    void end() noexcept;
    /// For a child that the application forked from a worker: closes the sockets and the loop of the worker.
    static void after_foreign_fork() noexcept;

    // cli::served
    [[nodiscard]] std::string_view description() const override;
    [[nodiscard]] std::string_view argument() const override { return "APP"; }
    [[nodiscard]] std::string missing_argument_text() const override;
    void set_argument(const std::string& text) override { options_.application = text; }
    [[nodiscard]] std::vector<cli::setting_row> setting_rows() override;
    [[nodiscard]] cli::setting_source default_values(std::span<const cli::setting_row> rows) override;
    void configure(cli::server_settings& settings) override;
    void check(const cli::server_settings& settings, std::vector<std::string>& errors) override;
    void prepare_to_serve(const cli::server_settings& settings) override;
    [[nodiscard]] std::string summary() const override;
    [[nodiscard]] std::string views_text(const cli::server_settings& settings) const override;
    void on_arbiter_start(bool reloaded) override;
    [[nodiscard]] process::fork_hooks* fork_hooks() override { return this; }
    [[nodiscard]] handler::application& application() override;
    [[nodiscard]] int run(event_loop& loop, task<int> lifecycle) override;
    void set_access_log(access_log_sink* sink) override;
    void on_server_start(server::server& s) override;
    void set_listening_sockets(std::span<const int> descriptors) override {
        listening_sockets_.assign(descriptors.begin(), descriptors.end());
    }
    void on_server_end() override;
    void on_drain(instant end_of_grace) override;
    void set_background_deadline(instant deadline) override;
    [[nodiscard]] task<void> stop_background() override;
    [[nodiscard]] std::size_t running() const noexcept override;
    void sample(stats::worker_stats& s) override;
    [[nodiscard]] std::string stacks() override;
    [[nodiscard]] std::string loop_stack() override;
    void end_process(instant deadline) noexcept override;

private:
    enum class loop_kind : unsigned char { asyncio, uvloop };

    struct stream_timer : timer {
        explicit stream_timer(python_served& owner) noexcept;
        python_served& owner_;
    };

    void before_fork() noexcept override;
    void after_fork_in_parent() noexcept override;
    void after_fork_in_child() noexcept override;
    [[nodiscard]] asgi_application& asgi();
    void preload();

    asgi_options options_;
    loop_kind loop_kind_ = loop_kind::asyncio;
    bool preload_ = false;
    std::chrono::milliseconds switch_interval_{1};

    object worker_;                      // the module rondo._worker
    PyThreadState* released_ = nullptr;  // while the arbiter runs without the GIL
    loop_gil gil_;
    std::optional<asgi_application> application_;
    std::optional<python_stacks> stacks_;
    event_loop* loop_ = nullptr;
    server::server* server_ = nullptr;
    stream_timer stream_timer_;
    std::vector<int> listening_sockets_;
    std::int64_t gil_wait_before_ = 0;  // of earlier workers in the same slot
    instant background_deadline_ = instant::max();
};

}  // namespace rondo::python
