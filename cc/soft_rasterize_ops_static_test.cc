// Linking //cc:soft_rasterize_ops_static gives a model server the ops and their
// kernels: nothing is loaded at run time, and none of their symbols is named.
#include <string>

#include "gtest/gtest.h"
#include "tensorflow/core/framework/kernel_def.pb.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace tf_softras {
namespace {

class LinkedOpTest : public testing::TestWithParam<std::string> {};

TEST_P(LinkedOpTest, IsRegistered) {
  const tensorflow::OpDef* op = nullptr;
  const auto status =
      tensorflow::OpRegistry::Global()->LookUpOpDef(GetParam(), &op);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(op->name(), GetParam());
}

TEST_P(LinkedOpTest, HasKernelsForTheCpu) {
  const tensorflow::KernelList kernels =
      tensorflow::GetRegisteredKernelsForOp(GetParam());
  int on_cpu = 0;
  for (const auto& kernel : kernels.kernel()) {
    on_cpu += kernel.device_type() == "CPU";
  }
  EXPECT_GT(on_cpu, 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, LinkedOpTest,
    testing::Values("Softras>SoftRasterize", "Softras>SoftRasterizeGrad",
                    "Softras>SoftShade", "Softras>SoftShadeGrad",
                    "Softras>RasterizeFaces", "Softras>HardSilhouetteGrad"),
    [](const auto& info) {
      return info.param.substr(info.param.find('>') + 1);
    });

}  // namespace
}  // namespace tf_softras
