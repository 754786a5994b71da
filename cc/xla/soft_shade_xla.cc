// The soft shader under XLA: there is no kernel, and a user is told so in one
// sentence. (Unimplemented: what XLA compiles on its own account then runs
// without it.)
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/compiler/tf2xla/xla_op_kernel.h"
#include "tensorflow/compiler/tf2xla/xla_op_registry.h"

namespace tf_softras {
namespace {

class RefusedByXlaOp : public tensorflow::XlaOpKernel {
 public:
  using XlaOpKernel::XlaOpKernel;

  void Compile(tensorflow::XlaOpKernelContext* context) override {
    context->CtxFailure(absl::UnimplementedError(absl::StrCat(
        type_string(),
        ": expected to run without XLA, which has no kernel of it; leave out "
        "jit_compile, or take implementation=\"reference\", which compiles")));
  }
};

REGISTER_KERNEL_BUILDER(
    Name("Softras>SoftShade").Device(tensorflow::DEVICE_CPU_XLA_JIT),
    RefusedByXlaOp);
REGISTER_KERNEL_BUILDER(
    Name("Softras>SoftShadeGrad").Device(tensorflow::DEVICE_CPU_XLA_JIT),
    RefusedByXlaOp);

}  // namespace
}  // namespace tf_softras
