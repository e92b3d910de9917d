// The host's checker over the corpus that test_schemas.py judges with Python's jsonschema.
#include <gtest/gtest.h>

#include "core/plugin/schema.hpp"
#include "tests/plugins/scene.hpp"

namespace onnx2fx::plugin {

static void judge(const char* file, const Schema& schema, const char* version_key) {
  std::ifstream in(std::string(ONNX2FX_TEST_SOURCES) + "/corpus/" + file);
  const Json corpus = Json::parse(in);
  EXPECT_GT(corpus.size(), 60u);
  for (const Json& c : corpus) {
    const std::vector<Diagnostic> faults = check(c["document"], schema, version_key, "f");
    EXPECT_EQ(faults.empty(), c["good"].get<bool>()) << c["why"] << "\n" << format(faults);
  }
}

TEST(Corpus, Descriptors) { judge("descriptors.json", descriptor_schema(), "manifest_version"); }
TEST(Corpus, Manifests) { judge("manifests.json", manifest_schema(), "config_version"); }

}  // namespace onnx2fx::plugin
