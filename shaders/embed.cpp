// Turns compiled SPIR-V into C++.
//
//   embed_kernels <folder> <shared header>...
//
// reads <folder>/manifest.txt and the variants in <folder>/addressed and <folder>/bound, and writes
//   kernels.gen.h         one enum per axis of the variant table, one typed handle per kernel
//   kernels.gen.cpp       the words, and which pointers each variant reads and writes, found in its
//   code; and a
//                         static_assert per member of each parameter struct, so that a struct laid
//                         out differently in C++ and GLSL does not compile
//   bound_kernels.gen.cpp the same table for the kernels whose pointers are descriptor bindings
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Words = std::vector<uint32_t>;

struct Member {
    std::string name;
    uint32_t offset = 0;
};
struct Access {
    uint32_t offset = 0;   // of the pointer in the parameter struct
    uint32_t binding = 0;  // of its buffer, in the bound build
    bool reads = false, writes = false;
};
struct Reflection {
    std::string params = "NoParams";
    std::vector<Member> members;
    std::vector<Access> accesses;
};
struct Variant {
    std::string file;                 // "direct.q4_0.spv"
    std::vector<std::string> values;  // one per axis
};
struct Kernel {
    std::string folder;
    std::vector<std::string> axes;
    std::vector<Variant> variants;
};

[[noreturn]] void fail(const std::string& what) {
    std::cerr << "embed_kernels: " << what << '\n';
    std::exit(1);
}

Words read_words(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    if (bytes.size() < 20 || bytes.size() % 4) fail("not SPIR-V: " + path);
    Words words(bytes.size() / 4);
    for (size_t i = 0; i < bytes.size(); ++i)
        words[i / 4] |= uint32_t(uint8_t(bytes[i])) << (8 * (i % 4));
    return words;
}

// Numbers from the SPIR-V specification, section 3.
enum Op : uint32_t {
    OpName = 5,
    OpMemberName = 6,
    OpTypeStruct = 30,
    OpTypePointer = 32,
    OpConstant = 43,
    OpFunctionParameter = 55,
    OpFunctionCall = 57,
    OpVariable = 59,
    OpLoad = 61,
    OpStore = 62,
    OpCopyMemory = 63,
    OpAccessChain = 65,
    OpInBoundsAccessChain = 66,
    OpPtrAccessChain = 67,
    OpDecorate = 71,
    OpMemberDecorate = 72,
    OpCompositeExtract = 81,
    OpCopyObject = 83,
    OpConvertUToPtr = 120,
    OpBitcast = 124,
    OpSelect = 169,
    OpAtomicLoad = 227,
    OpAtomicStore = 228,
    OpAtomicExchange = 229,
    OpAtomicXor = 242,
    OpPhi = 245,
    OpCooperativeMatrixLoadTensorNV = 5367,
};
enum : uint32_t {
    DecorationBinding = 33,
    DecorationOffset = 35,
    StoragePushConstant = 9,
    StorageBuffer = 12,
    StoragePhysicalBuffer = 5349
};

// What an id stands for while pointers are followed through the code.
struct Value {
    enum Kind { push, params, member_slot, pointer } kind;
    uint32_t member = 0;
};

Reflection reflect(const Words& words) {
    std::map<uint32_t, std::string> names;
    std::map<uint32_t, Words> structs;
    std::map<uint32_t, std::map<uint32_t, Member>> members;
    std::map<uint32_t, uint32_t> pointee, constants, bindings;
    std::map<uint32_t, Value> values;
    std::vector<uint32_t> buffers;    // variables with a binding
    std::set<uint32_t> buffer_types;  // pointers into buffers
    uint32_t params_type = 0;

    auto each_instruction = [&](auto&& visit) {
        for (size_t i = 5; i < words.size(); i += words[i] >> 16)
            visit(words[i] & 0xffff, &words[i], words[i] >> 16);
    };
    auto text = [](const uint32_t* w) { return std::string(reinterpret_cast<const char*>(w)); };

    each_instruction([&](uint32_t op, const uint32_t* w, uint32_t length) {
        switch (op) {
            case OpName:
                names[w[1]] = text(w + 2);
                break;
            case OpMemberName:
                members[w[1]][w[2]].name = text(w + 3);
                break;
            case OpMemberDecorate:
                if (w[3] == DecorationOffset) members[w[1]][w[2]].offset = w[4];
                break;
            case OpDecorate:
                if (w[2] == DecorationBinding) bindings[w[1]] = w[3];
                break;
            case OpTypeStruct:
                structs[w[1]].assign(w + 2, w + length);
                break;
            case OpTypePointer:
                pointee[w[1]] = w[3];
                if (w[2] == StorageBuffer || w[2] == StoragePhysicalBuffer)
                    buffer_types.insert(w[1]);
                break;
            case OpConstant:
                constants[w[2]] = w[3];
                break;
            case OpVariable:
                if (w[3] == StoragePushConstant) {
                    values[w[2]] = {Value::push};
                    params_type =
                        structs.at(pointee.at(w[1])).at(0);  // a push block holds one shared struct
                } else if (bindings.count(w[2])) {
                    buffers.push_back(w[2]);
                }
                break;
            default:
                break;
        }
    });

    Reflection r;
    if (!params_type) return r;
    r.params = names.at(params_type);
    for (auto& [index, member] : members.at(params_type)) r.members.push_back(member);
    std::map<uint32_t, Access> accesses;  // by member
    for (uint32_t variable : buffers) {
        const std::string member = names.at(variable).substr(std::string("bound_").size());
        auto at = std::ranges::find(r.members, member, &Member::name);
        if (at == r.members.end())
            fail("no member of " + r.params + " for the binding " + names.at(variable));
        values[variable] = {Value::pointer, uint32_t(at - r.members.begin())};
        accesses[values[variable].member].binding = bindings.at(variable);
    }

    // Follows pointers until nothing new is learnt: a phi may name an id that comes later.
    for (size_t known = ~size_t(0); known != values.size();) {
        known = values.size();
        each_instruction([&](uint32_t op, const uint32_t* w, uint32_t length) {
            auto value = [&](uint32_t id) -> std::optional<Value> {
                auto found = values.find(id);
                return found == values.end() ? std::nullopt : std::optional(found->second);
            };
            switch (op) {
                case OpAccessChain:
                case OpInBoundsAccessChain:
                case OpPtrAccessChain:
                    if (auto base = value(w[3])) {
                        if (base->kind == Value::push) {
                            if (length == 5)
                                values[w[2]] = {Value::params};
                            else
                                values[w[2]] = {Value::member_slot, constants.at(w[5])};
                        } else if (base->kind == Value::params) {
                            values[w[2]] = {Value::member_slot, constants.at(w[4])};
                        } else if (base->kind == Value::pointer) {
                            values[w[2]] = *base;
                        }
                    }
                    break;
                case OpLoad:
                    if (auto from = value(w[3])) {
                        if (from->kind == Value::member_slot)
                            values[w[2]] = {Value::pointer, from->member};
                        else if (from->kind == Value::params || from->kind == Value::push)
                            values[w[2]] = *from;
                    }
                    break;
                case OpCompositeExtract:
                    if (auto from = value(w[3]);
                        from && (from->kind == Value::params || from->kind == Value::push)) {
                        const uint32_t path = from->kind == Value::push ? 5 : 4;
                        if (path < length)
                            values[w[2]] = {Value::pointer, w[path]};
                        else
                            values[w[2]] = {Value::params};
                    }
                    break;
                case OpCopyObject:
                case OpBitcast:
                    if (auto from = value(w[3])) values[w[2]] = *from;
                    break;
                case OpSelect:
                case OpPhi:
                    for (uint32_t k = 3; k < length; ++k)
                        if (auto from = value(w[k]); from && from->kind == Value::pointer) {
                            if (values.count(w[2]) && values.at(w[2]).member != from->member)
                                fail("one pointer may be two members of " + r.params);
                            values[w[2]] = *from;
                        }
                    break;
                default:
                    break;
            }
        });
    }
    // Ids that point into buffers, by whatever instruction they came about: each must have been
    // followed.
    std::set<uint32_t> buffer_pointers;
    each_instruction([&](uint32_t op, const uint32_t* w, uint32_t length) {
        const bool has_result = op == OpLoad || op == OpFunctionParameter || op == OpFunctionCall ||
                                (op >= OpAccessChain && op <= OpPtrAccessChain) ||
                                op == OpCompositeExtract || op == OpCopyObject ||
                                op == OpConvertUToPtr || op == OpBitcast || op == OpSelect ||
                                op == OpPhi;
        if (has_result && length > 2 && buffer_types.count(w[1])) buffer_pointers.insert(w[2]);
        if (op == OpFunctionCall)
            for (uint32_t k = 4; k < length; ++k)
                if (buffer_pointers.count(w[k]))
                    fail(r.params + ": a function that was not inlined takes a pointer");
    });
    each_instruction([&](uint32_t op, const uint32_t* w, uint32_t) {
        auto touch = [&](uint32_t id, bool reads, bool writes) {
            auto found = values.find(id);
            if (found == values.end() && buffer_pointers.count(id))
                fail(r.params + ": a pointer's way through the code was lost");
            if (found == values.end() || found->second.kind != Value::pointer) return;
            Access& a = accesses[found->second.member];
            a.reads |= reads;
            a.writes |= writes;
        };
        if (op == OpLoad || op == OpAtomicLoad || op == OpCooperativeMatrixLoadTensorNV)
            touch(w[3], true, false);
        else if (op == OpStore || op == OpAtomicStore)
            touch(w[1], false, true);
        else if (op == OpCopyMemory)
            touch(w[1], false, true), touch(w[2], true, false);
        else if (op >= OpAtomicExchange && op <= OpAtomicXor)
            touch(w[3], true, true);
    });
    for (auto& [member, access] : accesses) {
        access.offset = r.members.at(member).offset;
        if (access.reads || access.writes) r.accesses.push_back(access);
    }
    return r;
}

// "FORMAT" names the enum Format.
std::string camel_case(std::string axis) {
    for (size_t i = 1; i < axis.size(); ++i) axis[i] = char(std::tolower(axis[i]));
    return axis;
}

struct Table {
    std::map<std::string, Kernel> kernels;
    std::map<std::string, std::vector<std::string>>
        axes;  // values in the order of the variant table
};

Table read_manifest(const std::string& path) {
    Table table;
    std::ifstream manifest(path);
    for (std::string line; std::getline(manifest, line);) {
        std::istringstream fields(line);
        std::string folder, name, file, field;
        fields >> folder >> name >> file;
        Kernel& kernel = table.kernels[name];
        kernel.folder = folder;
        kernel.axes.clear();
        Variant variant{file, {}};
        while (fields >> field) {
            const auto equals = field.find('=');
            const std::string axis = camel_case(field.substr(0, equals)),
                              value = field.substr(equals + 1);
            kernel.axes.push_back(axis);
            variant.values.push_back(value);
            auto& known = table.axes[axis];
            if (std::ranges::find(known, value) == known.end()) known.push_back(value);
        }
        kernel.variants.push_back(variant);
    }
    // Kernel::operator() numbers variants with the first axis outermost, so the table lies in that
    // order.
    for (auto& [name, kernel] : table.kernels) {
        size_t expected = 1;
        for (auto& axis : kernel.axes) expected *= table.axes.at(axis).size();
        if (kernel.variants.size() != expected)
            fail(name + " does not cover every value of its axes");
        std::ranges::sort(kernel.variants, {}, [&, &axes = kernel.axes](const Variant& v) {
            std::vector<std::ptrdiff_t> order;
            for (size_t i = 0; i < v.values.size(); ++i)
                order.push_back(std::ranges::find(table.axes.at(axes[i]), v.values[i]) -
                                table.axes.at(axes[i]).begin());
            return order;
        });
    }
    return table;
}

void write_table(const Table& table, const std::string& folder, const std::string& build,
                 std::ostream& cpp, const std::string& accessor,
                 std::map<std::string, Reflection>& params) {
    std::ostringstream rows;
    size_t next = 0;
    for (auto& [name, kernel] : table.kernels)
        for (auto& variant : kernel.variants) {
            const Words words = read_words(folder + "/" + build + "/" + variant.file);
            const Reflection r = reflect(words);
            params[name] = r;
            cpp << "static const uint32_t words_" << next << "[] = {";
            for (uint32_t w : words) cpp << w << ",";
            cpp << "};\nstatic const PointerAccess accesses_" << next << "[] = {";
            for (auto& a : r.accesses)
                cpp << "{" << a.offset << "," << a.binding << "," << a.reads << "," << a.writes
                    << "},";
            if (r.accesses.empty()) cpp << "{0,0,false,false}";
            cpp << "};\n";
            rows << "    {\"" << variant.file.substr(0, variant.file.size() - 4) << "\", words_"
                 << next << ", std::span(accesses_" << next << ").first(" << r.accesses.size()
                 << ")},\n";
            ++next;
        }
    cpp << "\nstatic const Spirv table[] = {\n"
        << rows.str() << "};\nstd::span<const Spirv> " << accessor
        << "() { return table; }\n\n}  // namespace assay\n";
}

// A file that stays as it is keeps its time, so that a new shader does not recompile every source
// that includes the handles.
void write_if_new(const std::string& path, const std::string& content) {
    std::ifstream old(path, std::ios::binary);
    if (old && std::string(std::istreambuf_iterator<char>(old), {}) == content) return;
    std::ofstream out(path, std::ios::binary);
    out << content << std::flush;
    if (!out) fail("cannot write " + path);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) fail("usage: embed_kernels <folder> <shared header>...");
    const std::string folder = argv[1];
    const Table table = read_manifest(folder + "/manifest.txt");

    std::map<std::string, Reflection> params, bound_params;
    std::ostringstream addressed, bound;
    write_table(table, folder, "addressed", addressed, "all_kernels", params);
    write_table(table, folder, "bound", bound, "bound_kernels", bound_params);

    std::ostringstream h, cpp, bound_cpp;
    h << "#pragma once\n#include \"runtime/vk/kernel.h\"\n";
    std::set<std::string> folders;
    for (auto& [name, kernel] : table.kernels) folders.insert(kernel.folder);
    for (auto& f : folders) h << "#include \"shaders/" << f << "/" << f << ".h\"\n";
    // Short names, which other libraries' headers use too.
    h << "#undef In\n#undef Out\n#undef InOut\n";
    h << "\nnamespace assay {\n\n";
    for (auto& [axis, values] : table.axes) {
        h << "enum class " << axis << " : std::uint8_t { ";
        for (auto& v : values) h << v << ", ";
        h << "};\ntemplate <>\ninline constexpr std::uint16_t axis_size<" << axis
          << "> = " << values.size() << ";\n";
    }
    h << "\nnamespace kernels {\n";
    size_t next = 0;
    for (auto& [name, kernel] : table.kernels) {
        h << "inline constexpr Kernel<shader::" << params.at(name).params;
        for (auto& axis : kernel.axes) h << ", " << axis;
        h << "> " << name << "{" << next << "};\n";
        next += kernel.variants.size();
    }
    h << "}  // namespace kernels\n\n}  // namespace assay\n";

    cpp << "#include \"kernels.gen.h\"\n#include <cstddef>\n\nnamespace assay {\n\n";
    for (auto& [name, r] : params)
        for (auto& m : r.members)
            cpp << "static_assert(offsetof(shader::" << r.params << ", " << m.name
                << ") == " << m.offset << ", \"" << r.params << "::" << m.name
                << " lies elsewhere in GLSL\");\n";
    cpp << addressed.str();
    bound_cpp << "#include \"kernels.gen.h\"\n\nnamespace assay {\n\n" << bound.str();
    write_if_new(folder + "/kernels.gen.h", h.str());
    write_if_new(folder + "/kernels.gen.cpp", cpp.str());
    write_if_new(folder + "/bound_kernels.gen.cpp", bound_cpp.str());
}
