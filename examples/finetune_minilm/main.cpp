// Fine-tunes MiniLM for ten steps on eight sentences, then judges two that it has not seen.
//   finetune_minilm ~/.local/share/basis/weights/minilm-l6-h384-uncased
#include <cstdio>
#include <vector>

#include <basis.h>

int main(int count, char** arguments) try {
  if (count != 2) throw basis::Error("usage: finetune_minilm MODEL_FOLDER");
  const std::vector<basis::Example> rows = {
      {"a warm and funny film", "", 1},        {"dull from start to end", "", 0},
      {"the cast is wonderful", "", 1},        {"a waste of two hours", "", 0},
      {"i would watch it again", "", 1},       {"badly written and badly played", "", 0},
      {"clever, moving and beautiful", "", 1}, {"i wanted my money back", "", 0},
  };
  basis::TextClassifierOptions options;
  options.learning_rate = 2e-4;
  auto classifier = basis::TextClassifier::load(arguments[1], {"negative", "positive"}, options);
  for (int step = 1; step <= 10; ++step) {
    std::printf("step %2d  loss %.4f\n", step, classifier.train_step(rows));
  }
  const std::vector<basis::Example> unseen = {{"a lovely little story"},
                                              {"boring and far too long"}};
  const auto predictions = classifier.predict(unseen);
  for (std::size_t i = 0; i < unseen.size(); ++i) {
    std::printf("%-24s %s\n", unseen[i].first.c_str(), predictions[i].name.c_str());
  }
} catch (const basis::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
