#include <cstdio>
#include <exception>

#include "bench/commands.h"

int main(int argc, char** argv) {
    CLI::App app("Writes models of real shapes with random weights, to time.", "assay_bench");
    app.require_subcommand(1);
    assay::bench::add_synth(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "assay_bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
