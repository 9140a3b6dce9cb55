// run_cases --operators            what the program can import, one operator a line: name, then the inputs that must be
//                                  constant
// run_cases FOLDER < NAMES         runs the case of each name: FOLDER/NAME.onnx on the tensors of FOLDER/NAME.inputs (a
//                                  GraphProto's initialisers, in the model's order), outputs to FOLDER/NAME.outputs
//
// A case goes through import, a run, export (FOLDER/NAME.exported.onnx), and import again; its text form must not
// change. One line of output a case:
//   NAME TAB STAGE TAB MESSAGE     STAGE: ok, import, run, export, round trip; the message on one line
// NAME is printed before the work starts, so that whoever reads knows which case ended the program, if one does.

#include "core/error.h"
#include "core/file.h"
#include "exec/plan.h"
#include "graph/text_form.h"
#include "io/onnx.h"
#include "io/onnx_tensor.h"
#include "ops/op.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

using namespace compress;

namespace {

void print_operators() {
  for (const auto* op : ops::all_ops()) {
    if (!op->domain.empty()) continue;
    std::cout << op->name;
    for (const auto& input : op->constant_inputs) std::cout << ' ' << input.index;
    std::cout << '\n';
  }
  for (const auto* op : {"Constant", "Identity", "If", "Loop", "Shape", "Size"})  // gone after import
    if (!ops::find_op(op)) std::cout << op << '\n';
  std::cout << "GRU 1 2 3\nLSTM 1 2 3 7\nRNN 1 2 3\n";  // become operators of our own
}

std::vector<at::Tensor> read_tensors(const std::string& path) {
  onnx::GraphProto proto;
  proto.ParseFromString(read_file(path));
  std::vector<at::Tensor> tensors;
  for (const auto& tensor : proto.initializer()) tensors.push_back(io::read_tensor(tensor, {}));
  return tensors;
}

void write_tensors(const std::string& path, const Graph& graph, const std::vector<at::Tensor>& tensors) {
  onnx::GraphProto proto;
  for (size_t i = 0; i < tensors.size(); ++i)
    io::write_tensor(*proto.add_initializer(), graph.outputs[i].name, tensors[i]);
  write_file(path, proto.SerializeAsString());
}

/// With the usual opset, or the one that a younger operator asks for.
std::string exported(const Graph& graph, int opset = io::kUsualOpset) {
  try {
    return io::export_onnx_bytes(graph, {.opset = opset});
  } catch (const Error& error) {
    constexpr std::string_view kSince = "since opset ";
    const auto at = error.message().find(kSince);
    const int since = at == std::string::npos ? 0 : std::atoi(error.message().c_str() + at + kSince.size());
    if (since <= opset) throw;
    return exported(graph, since);
  }
}

std::string run_case(const std::string& stem) {
  std::string stage = "import";
  try {
    const auto graph = io::import_onnx(stem + ".onnx");
    stage = "run";
    write_tensors(stem + ".outputs", graph, exec::Plan(graph).run(read_tensors(stem + ".inputs")));
    stage = "export";
    const auto bytes = exported(graph);
    write_file(stem + ".exported.onnx", bytes);
    stage = "round trip";
    const auto again = io::import_onnx_bytes(bytes, stem + ".onnx");
    if (print_graph(again) != print_graph(graph))
      throw run_error("another text form:\n{}became\n{}", print_graph(graph), print_graph(again));
    return "ok\t";
  } catch (...) {
    auto message = current_error().render();
    std::ranges::replace(message, '\n', ' ');
    std::ranges::replace(message, '\t', ' ');
    return stage + "\t" + message;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (std::string(argv[1]) == "--operators") {
    print_operators();
    return 0;
  }
  for (std::string name; std::getline(std::cin, name);) {
    std::cout << name << '\t' << std::flush;
    std::cout << run_case(std::string(argv[1]) + "/" + name) << std::endl;
  }
}
