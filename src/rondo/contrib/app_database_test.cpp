// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/app_database.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include <rondo/db/error.hpp>
#include <rondo/web/error_response.hpp>

namespace rondo {
namespace {

class AppDatabase : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "rondo-contrib-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
        std::ofstream(folder_ / "0001_make.sql") << "create table t (n integer); insert into t values (42);";
        settings_.db_url = "sqlite:" + (folder_ / "app.db").string();
        settings_.migrations = folder_.string();
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    int run_command(app& application, const std::string& name) {
        for (const detail::declared_command* c : application.declared_commands())
            if (c->name == name) return loop_.run_until(c->async(c->object.get(), {}));
        throw std::runtime_error("unknown command " + name);
    }

    std::filesystem::path folder_;
    app_settings settings_;
    event_loop loop_;
};

TEST_F(AppDatabase, migrates_and_serves) {
    app application;
    app_database database(application);
    application.apply_settings(settings_);
    EXPECT_EQ(run_command(application, "migrate"), 0);
    EXPECT_EQ(run_command(application, "migrate"), 0);
    loop_.run_until(application.startup());
    const db::result r = loop_.run_until(database->query("select n from t"));
    EXPECT_EQ(r.scalar<int>(), 42);
    loop_.run_until(application.shutdown());
}

TEST_F(AppDatabase, startup_without_a_url_fails_with_a_message) {
    app application;
    app_database database(application);
    application.apply_settings({});
    try {
        loop_.run_until(application.startup());
        FAIL() << "the application started";
    } catch (const std::exception& e) {
        EXPECT_NE(std::string(e.what()).find("--db-url"), std::string::npos) << e.what();
    }
}

TEST_F(AppDatabase, a_busy_database_is_503_with_retry_after) {
    const failure f =
        to_failure(std::make_exception_ptr(db::pool_exhausted("no connection was free", std::chrono::seconds(3))));
    EXPECT_EQ(f.code, http::status::service_unavailable);
    EXPECT_EQ(f.retry_after, std::chrono::seconds(3));
}

}  // namespace
}  // namespace rondo
