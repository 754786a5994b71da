// Emits the custom call that an op compiles to, after checking that all shapes
// are known. The ops' XLA kernels share this.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_XLA_CUSTOM_CALL_H_
#define TF_SOFTRAS_CC_TENSORFLOW_XLA_CUSTOM_CALL_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tensorflow/compiler/tf2xla/shape_util.h"
#include "tensorflow/compiler/tf2xla/xla_op_kernel.h"
#include "xla/hlo/builder/xla_builder.h"
#include "xla/shape_util.h"

namespace tf_softras {

// The handler's name in XLA's registry. `type` is XLA's name of the type.
inline std::string HandlerName(const char* call, const char* type) {
  return absl::StrCat(call, "_", type);
}

inline xla::Shape RowMajor(xla::PrimitiveType type,
                           const tensorflow::TensorShape& shape) {
  return xla::ShapeUtil::MakeShapeWithDescendingLayout(type, shape.dim_sizes());
}

// Reads the shapes of all inputs. `names` are theirs, in order.
inline absl::Status StaticShapes(tensorflow::XlaOpKernelContext* context,
                                 const char* const* names,
                                 std::vector<tensorflow::TensorShape>* shapes) {
  shapes->resize(context->num_inputs());
  for (int i = 0; i < context->num_inputs(); ++i) {
    const absl::StatusOr<xla::Shape> shape = context->InputXlaShape(i);
    if (!shape.ok()) return shape.status();
    if (shape->is_dynamic()) {
      return absl::UnimplementedError(absl::StrCat(
          names[i], ": expected sizes that are known when XLA compiles; ",
          "received ", xla::ShapeUtil::HumanString(*shape)));
    }
    TF_RETURN_IF_ERROR(
        tensorflow::XLAShapeToTensorShape(*shape, &(*shapes)[i]));
  }
  return absl::OkStatus();
}

// An attribute as the text of a custom call: a float's bits, so that no digit
// is lost.
inline std::string FloatAttribute(const char* name, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return absl::StrFormat("%s = 0x%08X : f32", name, bits);
}

// Calls the handler with every array row-major, as the passes read them.
inline xla::XlaOp CallHandler(
    tensorflow::XlaOpKernelContext* context, const char* call,
    const std::vector<tensorflow::TensorShape>& shapes,
    const xla::Shape& result, const std::string& attributes) {
  std::vector<xla::XlaOp> operands;
  std::vector<xla::Shape> layouts;
  for (int i = 0; i < context->num_inputs(); ++i) {
    operands.push_back(context->Input(i));
    layouts.push_back(RowMajor(context->input_xla_type(i), shapes[i]));
  }
  const bool is_double = context->input_xla_type(0) == xla::F64;
  return xla::CustomCallWithLayout(
      context->builder(), HandlerName(call, is_double ? "F64" : "F32"),
      operands, result, layouts, absl::StrCat("{", attributes, "}"),
      /*has_side_effect=*/false, /*output_operand_aliasing=*/{},
      /*literal=*/nullptr, xla::CustomCallSchedule::SCHEDULE_NONE,
      xla::CustomCallApiVersion::API_VERSION_TYPED_FFI);
}

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_XLA_CUSTOM_CALL_H_
