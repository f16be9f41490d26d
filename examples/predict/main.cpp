// SPDX-License-Identifier: Apache-2.0
// A model that is slow to load, slow to compute and may crash: an isolated view, which runs in compute processes.
//
//     predict serve --compute-workers model=2 --compute-timeout 5s --compute-memory 1GiB
#include <memory>
#include <string>
#include <vector>

#include <rondo/web.hpp>

// [sample isolated]
struct model {
    std::vector<double> weights = std::vector<double>(1'000'000, 0.5);

    [[nodiscard]] double predict(double x) const {
        double sum = 0;
        for (const double w : weights) sum = sum * x + w;
        return sum;
    }
};

auto load_model() {  // called once in each compute process, before its first request
    return [loaded = std::make_shared<const model>()](rondo::request& req) {
        if (req.is_cancelled()) return rondo::text("cancelled");
        return rondo::text(std::to_string(loaded->predict(req.query_as<double>("x", 0.25))));
    };
}

int main(int argc, char** argv) {
    rondo::app app;
    app.get("/predict", rondo::isolated("model", load_model));
    return rondo::run(app, argc, argv);
}
// [end]
