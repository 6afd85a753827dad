// Writes bindings.glsl: for each parameter struct a macro BIND_<struct> that declares one storage
// buffer per pointer, in the order of the struct, so that kernels can be built with their buffers
// bound through descriptors instead of reached by address.
//
//   bind_params <bindings.glsl> <shared header>...
#include <fstream>
#include <iostream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: bind_params <bindings.glsl> <shared header>...\n";
        return 1;
    }
    const std::regex struct_line(R"(struct (\w+) \{)");
    const std::regex pointer_line(R"(\s*(In|Out|InOut)\((\w+)\) (\w+);.*)");

    std::ostringstream out;
    for (int i = 2; i < argc; ++i) {
        std::ifstream in(argv[i]);
        bool inside = false;
        int binding = 0;
        std::smatch match;
        for (std::string line; std::getline(in, line);) {
            if (std::regex_match(line, match, struct_line)) {
                out << "#define BIND_" << match[1];
                inside = true;
                binding = 0;
            } else if (inside && std::regex_match(line, match, pointer_line)) {
                const std::string access = match[1] == "In"    ? "readonly "
                                           : match[1] == "Out" ? "writeonly "
                                                               : "";
                const std::string type = match[2], name = match[3];
                out << " layout(set = 0, binding = " << binding++ << ", scalar) " << access
                    << "buffer Bound_" << name << " { " << type << " data[]; } bound_" << name
                    << ";";
            } else if (inside && line.starts_with("}")) {
                out << "\n";
                inside = false;
            }
        }
    }
    // A file that stays as it is keeps its time, and the kernels need not be compiled anew.
    std::ifstream old(argv[1]);
    if (std::string(std::istreambuf_iterator<char>(old), {}) == out.str()) return 0;
    return std::ofstream(argv[1]) << out.str() ? 0 : 1;
}
