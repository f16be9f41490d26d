// SPDX-License-Identifier: Apache-2.0
// A model that takes long to load, computes long and may crash: in processes of its own.
//
//     predict serve --compute-workers model=2 --compute-timeout 5s --compute-memory 1GiB
#include <memory>
#include <string>
#include <vector>

#include <rondo/web.hpp>

// [sample isolated]
struct model {
    std::vector<double> weights = std::vector<double>(1'000'000, 0.5);

    [[nodiscard]] double answer(double x) const {
        double sum = 0;
        for (const double w : weights) sum = sum * x + w;
        return sum;
    }
};

auto load_model() {  // once in each compute process, before it takes requests
    return [loaded = std::make_shared<const model>()](rondo::request& req) {
        if (req.cancelled()) return rondo::text("nobody waits any more");
        return rondo::text(std::to_string(loaded->answer(req.query_as<double>("x", 0.25))));
    };
}

int main(int argc, char** argv) {
    rondo::app app;
    app.get("/predict", rondo::isolated("model", load_model));
    return rondo::run(app, argc, argv);
}
// [end]
