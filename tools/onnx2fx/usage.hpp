// What is wrong with a command line, and what may have been meant.
#ifndef ONNX2FX_TOOLS_ONNX2FX_USAGE_HPP_
#define ONNX2FX_TOOLS_ONNX2FX_USAGE_HPP_

#include <CLI/App.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/include/onnx2fx/diagnostic.hpp"

namespace onnx2fx::cli {

/// A value must be one of these words.
CLI::Validator word_of(std::span<const std::string_view> words);
/// One of them becomes its place among them: an enumerator.
CLI::Validator index_of(std::span<const std::string_view> words);

/// The commands directly below that this installation can run.
std::vector<const CLI::App*> commands_below(const CLI::App& app);
/// Their names.
std::vector<std::string> command_names(const CLI::App& app);
/// The command that was chosen; the program itself if none was.
const CLI::App& chosen(const CLI::App& app);
/// One directly below; null: none of that name.
const CLI::App* command_named(const CLI::App& app, const std::string& name);
/// How it is called: "onnx2fx plugin check".
std::string called(const CLI::App& command);

Diagnostic unknown_command(const CLI::App& app, const std::string& word);
/// The first word of the parsed command line that nothing knows; nullopt: all are known.
/// `model`: that of the program itself, which a mistyped command reads like.
std::optional<Diagnostic> unknown_word(const CLI::App& app, const std::string& model);

/// Prints it with a note on where help is. The exit code.
int refuse(Diagnostic fault, const CLI::App& app);
int refuse(const CLI::ParseError& error, const CLI::App& app);

}  // namespace onnx2fx::cli

#endif
