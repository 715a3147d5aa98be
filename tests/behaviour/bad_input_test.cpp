// Files and words that are wrong: each is refused with a message that says what was asked and what
// is there, exit status 2, and nothing written.
#include "tests/behaviour/bad_input.h"

#include <sys/resource.h>

#include "nn/checkpoint.h"
#include "tensor/safetensors.h"
#include "tests/behaviour/tiny.h"
#include "tests/tensor/safetensors_text.h"

namespace basis::behaviour {
namespace {

namespace fs = std::filesystem;

constexpr const char* predict = "predict --model model";
constexpr const char* merge = "merge --model model --adapter adapter --out out";
constexpr const char* spectrum = "spectrum model adapter --out out";

/// What stands in a file, and what the program says of it.
struct BadContent {
  std::string content;
  std::string message;
};

// ---- Paths --------------------------------------------------------------------------------------

TEST_F(BadInput, APathThatIsNotThere) {
  const BadContent cases[] = {
      {"predict --model none", "none: no such folder"},
      {"encode --model none", "none: no such folder"},
      {"tokenize --model none", "none: no such folder"},
      {"predict --model model --adapter none", "none/adapter_config.json: no such file"},
      {"merge --model none --adapter adapter --out out", "none: no such folder"},
      {"merge --model model --adapter none --out out", "none/adapter_config.json: no such file"},
      {"spectrum none model --out out", "none/config.json: no such file"},
      {"spectrum model none --out out", "none/config.json: no such file"},
      {"run none.toml", "none.toml: no such file"},
      {"run mrpc.toml --data none", "none/../base: no such folder (the data root is none;"},
      {"report none", "none: not the folder of a run: it holds no plan.json"},
      {"status none", "none: not the folder of a run: it holds no plan.json"},
      {"predict --model mrpc.toml", "mrpc.toml: no such folder"},
  };
  for (const auto& [arguments, message] : cases) expect_refusal(arguments, message);
}

TEST_F(BadInput, AFileThatIsMissingOrCannotBeRead) {
  const std::string files[] = {"config.json", "vocab.txt", "model.safetensors"};
  for (const std::string& name : files) {
    const fs::path path = work() / "model" / name;
    fs::remove(path);
    expect_refusal(predict, "cannot read model/" + name + ": no such file");
    fs::create_directory(path);
    expect_refusal(predict, "cannot read model/" + name + ": it is a folder");
    fs::remove(path);
    fs::create_symlink(name, path);  // to itself
    expect_refusal(predict, "cannot read model/" + name + ": ");
    fs::remove(path);
    write("model/" + name, good("model/" + name));
  }
}

TEST_F(BadInput, AFolderThatCannotBeWritten) {
  write("file", "");
  for (const std::string out : {"file", "file/within"}) {
    const std::string message = out + ": the folder cannot be made: ";
    expect_refusal("merge --model model --adapter adapter --out " + out, message);
    expect_refusal("export --model model --adapter adapter --out " + out, out + ": ");
    expect_refusal("spectrum model adapter --out " + out, message);
    expect_refusal("run mrpc.toml --out " + out, message);
  }
  fs::create_directories(work() / "out" / "spectrum.csv");
  expect_refusal(spectrum, "cannot write out/spectrum.csv: it is a folder");
  // The adapter would not be that of its model any more.
  expect_refusal("merge --model model --adapter adapter --out model", "choose another");
  expect_refusal("merge --model model --adapter adapter --out ./adapter", "choose another");
  expect_refusal("export --model model --adapter adapter --out ./adapter", "choose another");
}

TEST_F(BadInput, AFullDiskBehindStandardOutput) {
  for (const char* log : {"out", "error"}) write_file_atomically(folder_ / log, "");
  for (const std::string command : {"config", "info", "run mrpc.toml --list"}) {
    const Outcome outcome = run_program(
        work(), folder_, command + " > /dev/full 2> '" + (folder_ / "said").string() + "' #");
    EXPECT_EQ(outcome.status, 2) << command;
    EXPECT_NE(read_file(folder_ / "said").find("cannot"), std::string::npos) << command;
  }
}

// ---- Safetensors --------------------------------------------------------------------------------

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

/// A file with one tensor "a".
std::string one_tensor(const std::string& dtype, const std::string& shape,
                       const std::string& offsets) {
  return safetensors_text("{\"a\":" + entry(dtype, shape, offsets) + "}", 8);
}

TEST_F(BadInput, SafetensorsThatAreNone) {
  const std::string whole = good("model/model.safetensors");
  const std::string a = entry("F32", "[1]", "[0,4]");
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "{\"a\":";
  const BadContent cases[] = {
      {"", "the file is empty"},
      {whole.substr(0, 7), "7 bytes are too few"},
      {whole.substr(0, 100), "92 bytes follow; the file is cut"},
      {whole.substr(0, whole.size() - 1), "the file is cut: its tensors need"},
      {whole + "x", "1 bytes follow the last tensor"},
      {safetensors_text("{}", 0).replace(0, 8, 8, '\x7f'), "a header of 9187201950435737471 bytes"},
      {safetensors_text("text", 0), "does not begin with \"{\""},
      {safetensors_text(nested, 0), "nested deeper than 64 levels"},
      {safetensors_text("{\"a\":" + a + ",\"b\":" + entry("F32", "[1]", "[2,6]") + "}", 6),
       "\"b\" begins at byte 2 of the data, overlapping the one that ends at byte 4"},
      {safetensors_text("{\"a\":" + a + ",\"b\":" + entry("F32", "[1]", "[8,12]") + "}", 12),
       "leaving a gap behind byte 4"},
      {safetensors_text("{\"a\":" + a + ",\"a\":" + entry("F32", "[1]", "[4,8]") + "}", 8),
       "duplicate key \"a\""},
      {one_tensor("F32", "[2]", "[-8,0]"), "not a list of whole numbers from 0 to 2^63 - 1"},
      {one_tensor("F32", "[2]", "[18446744073709551608,18446744073709551616]"),
       "not a list of whole numbers from 0 to 2^63 - 1"},
      {one_tensor("F32", "[2]", "[9223372036854775799,9223372036854775807]"),
       "leaving a gap behind byte 0"},
      {one_tensor("F32", "[2]", "[8,0]"), "\"data_offsets\" is not [begin, end]"},
      {one_tensor("F32", "[3]", "[0,8]"), "F32 (3) does not fit its 8 bytes"},
      {one_tensor("F32", "[-2]", "[0,8]"), "\"shape\" is not a list of whole numbers"},
      {one_tensor("F32", "[4611686018427387904,4611686018427387904]", "[0,8]"),
       "does not fit its 8 bytes"},
      {one_tensor("F31", "[2]", "[0,8]"), "unknown dtype \"F31\""},
      {one_tensor("F32", "\"[2]\"", "[0,8]"), "\"shape\" is not a list of whole numbers"},
  };
  for (const auto& [content, message] : cases) {
    write("model/model.safetensors", content);
    expect_refusal(predict, "model/model.safetensors");
    expect_refusal(predict, message);
  }
  // Every command that opens it, once.
  write("model/model.safetensors", whole.substr(0, whole.size() - 1));
  for (const char* command : {"encode --model model", merge, spectrum}) {
    expect_refusal(command, "model/model.safetensors: the file is cut");
  }
}

TEST_F(BadInput, TensorsThatAreNotTheModels) {
  const std::string whole = good("model/model.safetensors");
  const auto with = [&](const std::string& from, const std::string& to) {
    EXPECT_EQ(from.size(), to.size());  // the header keeps its length
    return good("model/model.safetensors", from, to);
  };
  const BadContent cases[] = {
      {with("\"classifier.weight\":{\"dtype\":\"F32\"", "\"classifier.weight\":{\"dtype\":\"I32\""),
       "tensor \"classifier.weight\" holds whole numbers (I32), expected weights"},
      {with("bert.encoder.layer.1.output.dense.weight", "bert.encoder.layer.9.output.dense.weight"),
       "no tensor \"encoder.layer.1.output.dense.weight\" (32, 48)"},
      {with("\"shape\":[40,32]", "\"shape\":[32,40]"), "has shape (32, 40), expected (40, 32)"},
  };
  for (const auto& [content, message] : cases) {
    write("model/model.safetensors", content);
    for (const char* command : {predict, "encode --model model", merge, spectrum}) {
      expect_refusal(command, message);
    }
  }
}

// ---- config.json --------------------------------------------------------------------------------

TEST_F(BadInput, AConfigThatIsNoBerts) {
  const auto with = [](const std::string& from, const std::string& to) {
    return good("model/config.json", from, to);
  };
  const std::string hidden = "\"hidden_size\": 32";
  const BadContent cases[] = {
      {"", "model/config.json:1: "},
      {"text", "model/config.json:1: "},
      {"[1]", "model/config.json: not a JSON object"},
      {std::string(1'000'000, '['), "model/config.json:1: nested deeper than 64 levels"},
      {good("model/config.json").substr(0, 100), "model/config.json:"},
      {with("\"1\": \"maybe\"", "\"1\": \"ma\xff\""), "model/config.json:"},
      {with("\"hidden_size\"", "\"hidden_sizes\""), "\"hidden_size\" is missing"},
      {with(hidden, "\"hidden_size\": \"32\""), "\"hidden_size\" is \"32\", not an integer"},
      {with(hidden, "\"hidden_size\": 32.5"), "\"hidden_size\" is 32.5, not an integer"},
      {with(hidden, "\"hidden_size\": null"), "\"hidden_size\" is null"},
      {with(hidden, "\"hidden_size\": 0"), "\"hidden_size\" is 0, not from 1 to"},
      {with(hidden, "\"hidden_size\": -32"), "\"hidden_size\" is -32, not from 1 to"},
      {with(hidden, "\"hidden_size\": 32, \"hidden_size\": 32"), "duplicate key \"hidden_size\""},
      {with("\"num_attention_heads\": 2", "\"num_attention_heads\": 3"),
       "\"num_attention_heads\" is 3, which does not divide hidden_size 32"},
      {with("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"swish\""),
       "\"hidden_act\" is \"swish\"; known are \"gelu\""},
      {with("\"absolute\"", "\"relative_key\""),
       "\"position_embedding_type\" is \"relative_key\"; only \"absolute\" is supported"},
      {with("\"model_type\": \"bert\"", "\"model_type\": \"roberta\""), "only \"bert\""},
      {with("\"2\": \"yes\"", "\"3\": \"yes\""), "\"id2label\" has 3 labels but none for \"2\""},
      {with("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
       "no tensor \"encoder.layer.2."},
      {with(",\n    \"2\": \"yes\"", ""), "config.json names 2 labels (id2label)"},
  };
  for (const auto& [content, message] : cases) {
    write("model/config.json", content);
    expect_refusal(predict, message);
  }
}

// No size makes the program ask for memory: it is compared with limits and with the file first.
TEST_F(BadInput, EnormousSizesTakeNoMemory) {
  const auto with = [](const std::string& key, const std::string& value) {
    const std::string text = good("model/config.json");
    const std::size_t begin = text.find("\"" + key + "\": ") + key.size() + 4;
    return std::string(text).replace(begin, text.find_first_of(",\n", begin) - begin, value);
  };
  const BadContent cases[] = {
      {with("hidden_size", "1000000000000"), "is 1000000000000, not from 1 to 65536"},
      {with("vocab_size", "9223372036854775808"),
       "is 9223372036854775808, not an integer below 2^63"},
      {with("vocab_size", "10000000"), "10000000"},
      {with("hidden_size", "65536"), "expected (1852, 65536)"},
      {with("intermediate_size", "1048576"), "expected (1048576, 32)"},
      {with("max_position_embeddings", "1048576"), "expected (1048576, 32)"},
      {with("type_vocab_size", "65536"), "expected (65536, 32)"},
      {with("num_hidden_layers", "1000"), "no tensor \"encoder.layer.2."},
  };
  for (const auto& [content, message] : cases) {
    write("model/config.json", content);
    for (const char* command : {predict, "encode --model model", merge, spectrum}) {
      expect_refusal(command, message);
    }
  }
  // A model that is made from its initialiser has no file to compare with.
  write("large.toml",
        "[pretrain]\nhidden_size = 65536\nnum_hidden_layers = 10\nnum_attention_heads = 64\n"
        "intermediate_size = 262144\ndocuments = 20\nheld_out_documents = 2\n");
  expect_failed_stage("large.toml", "GiB of memory: choose smaller sizes");
  rusage usage{};
  ASSERT_EQ(getrusage(RUSAGE_CHILDREN, &usage), 0);
  // The smallest of these models would have 2.5 GB of word embeddings alone.
  EXPECT_LT(usage.ru_maxrss, 1'000'000) << "KiB, the largest of all these processes";
}

// ---- Vocabularies and texts ---------------------------------------------------------------------

TEST_F(BadInput, AVocabularyThatIsNotTheModels) {
  const std::string whole = good("model/vocab.txt");
  const auto without = [](const std::string& token) {
    return good("model/vocab.txt", token + "\n", "[other]\n");
  };
  const BadContent cases[] = {
      {"", "model/vocab.txt: the vocabulary is empty"},
      {without("[UNK]"), "model/vocab.txt: the vocabulary of 1852 tokens lacks [UNK]"},
      {without("[CLS]"), "lacks [CLS]"},
      {without("[SEP]"), "lacks [SEP]"},
      {whole.substr(0, whole.find("##")),
       "tokens, config.json says 1852 word embeddings (vocab_size): it is cut"},
      {whole + "one\nmore\n", "model: the vocabulary has 1854 tokens"},
      {good("model/vocab.txt", "[MASK]\n", "[M\xff]\n"),
       "model/vocab.txt:5: the token is not UTF-8"},
  };
  for (const auto& [content, message] : cases) {
    write("model/vocab.txt", content);
    expect_refusal(predict, message);
    expect_refusal("encode --model model", message);
    expect_refusal(merge, message);
  }
  write("model/vocab.txt", whole);
  write("model/tokenizer_config.json", "{\"do_lower_case\": 3}");
  expect_refusal(predict, "model/tokenizer_config.json: \"do_lower_case\" is 3, not true or false");
  write("model/tokenizer_config.json", std::string(100'000, '['));
  expect_refusal(predict, "model/tokenizer_config.json:1: nested deeper");
}

TEST_F(BadInput, TextsThatAreNoTexts) {
  for (const std::string command : {"predict", "encode", "tokenize"}) {
    // Nothing is printed for the good first line, which is in the same batch.
    expect_refusal(command + " --model model", "standard input:2: the text is not UTF-8",
                   "good\nb\xff\x64\n");
  }
  expect_refusal("predict --model model --pairs", "standard input:1: expected two texts");
  expect_refusal("predict --model model --max-length 41", "the model takes at most 40 tokens");
  expect_refusal("encode --model model --pool pooler", "the model has no pooler");
}

TEST_F(BadInput, PairsForAModelOfSingleTexts) {
  const SafeTensors file = SafeTensors::open(work() / "model" / "model.safetensors");
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const std::string& name : file.names()) {
    const bool is_type = name.ends_with("token_type_embeddings.weight");
    tensors.emplace_back(name, is_type ? file.tensor(name).rows(0, 1) : file.tensor(name));
  }
  BertConfig config = BertConfig::read(work() / "model");
  config.type_vocab_size = 1;
  write_checkpoint(work() / "model", config, *Machine().backend, tensors);
  expect_refusal("predict --model model --pairs", "token type 1 is beyond the model's 1", "a\tb\n");
}

TEST_F(BadInput, TokenIdsWithoutAnEmbedding) {
  const auto batch = [](const std::string& id) {
    return "{\"input_ids\": [[2, " + id + "]], \"token_type_ids\": [[0, 0]], \"labels\": [0]}\n";
  };
  const BadContent cases[] = {
      {batch("1852"), "token id 1852 is beyond the model's 1852 word embeddings"},
      {batch("-1"), "batches.jsonl:1: sequence 0 has a negative id or type"},
  };
  for (const auto& [content, message] : cases) {
    write("batches.jsonl", content);
    expect_refusal("bench step --model base --batches batches.jsonl", message);
  }
}

// ---- Adapters -----------------------------------------------------------------------------------

TEST_F(BadInput, AnAdapterThatDoesNotFit) {
  const std::string tensors = good("adapter/adapter_model.safetensors");
  const auto with = [](const std::string& from, const std::string& to) {
    return good("adapter/adapter_config.json", from, to);
  };
  const BadContent cases[] = {
      {with("\"rank\": 2", "\"rank\": 33"), "adapter: rank 33 is not between 1 and 32"},
      {with("\"rank\": 2", "\"rank\": 0"), "\"rank\" is 0, not an integer from 1 to"},
      {with("\"rank\": 2", "\"rank\": 4611686018427387904"),
       "\"rank\" is 4611686018427387904, not an integer from 1"},
      {with("\"rank\": 2", "\"rank\": 3"), "the adapter's settings and the model want"},
      {with("\"kind\": \"lora\"", "\"kind\": \"oft\""), "\"kind\" has \"oft\"; known are"},
      {with("\"kind\": \"lora\"", "\"kind\": \"dora\""), "lora_magnitude_vector, (32) by the"},
      {with("\"hidden_size\": 32", "\"hidden_size\": -1"),
       "\"base.hidden_size\" is -1, not an integer"},
      {with("\"fingerprint\": \"", "\"fingerprint\": \"0"),
       "the adapter was made on the encoder 0"},
      {"", "adapter/adapter_config.json:1: "},
      {"{}", "it has neither our \"basis_adapter\" nor PEFT's \"peft_type\""},
      {std::string(100'000, '['), "nested deeper than 64 levels"},
  };
  for (const auto& [content, message] : cases) {
    write("adapter/adapter_config.json", content);
    for (const char* command : {"predict --model model --adapter adapter", merge, spectrum}) {
      expect_refusal(command, message);
    }
  }
  write("adapter/adapter_config.json", good("adapter/adapter_config.json"));
  write("adapter/adapter_model.safetensors", tensors.substr(0, tensors.size() - 1));
  expect_refusal(merge, "adapter/adapter_model.safetensors: the file is cut");
}

// ---- Experiments --------------------------------------------------------------------------------

TEST_F(BadInput, RowsThatAreNotTheTasks) {
  const std::string train = "data/glue/MRPC/train.tsv";
  const std::string rows = good(train);
  const std::string header = rows.substr(0, rows.find('\n') + 1);
  const BadContent cases[] = {
      {rows + "1\t5\t6\tonly one\n", train + ":4: 4 columns, expected 5 (Quality, #1 ID"},
      {rows + "1\t5\t6\ta\tb\tc\n", train + ":4: 6 columns, expected 5"},
      {rows + "7\t5\t6\ta\tb\n", train + ":4: unknown label \"7\" in column Quality, expected one"},
      {rows + "1\t5\t6\t\xff\tb\n", train + ":4: invalid UTF-8"},
      {rows + "1\t5\t6\t\tb\n", train + ":4: no text in column #1 String"},
      {good(train, "Quality", "Quantity"), train + ":1: no column \"Quality\"; there are Quantity"},
      {header, train + " has no rows"},
      {"", train + ": empty, expected a header line"},
  };
  for (const auto& [content, message] : cases) {
    write(train, content);
    expect_failed_stage("mrpc.toml", message);
  }
  fs::remove(work() / train);
  fs::remove_all(work() / "run");
  expect_refusal("run mrpc.toml", train + ": no such file; it is from https://gluebenchmark.com");
  write(train, rows);
  write("data/glue/MRPC/dev.tsv", header);
  expect_failed_stage("mrpc.toml", "dev.tsv has no rows");
}

TEST_F(BadInput, ARankAboveTheMatrix) {
  write("mrpc.toml", good("mrpc.toml", "rank = 2", "rank = 33"));
  expect_failed_stage("mrpc.toml", "rank 33 is not between 1 and 32, the rank of encoder.layer.0");
  write("mrpc.toml", good("mrpc.toml", "rank = 2", "rank = 1000000000000"));
  expect_refusal("run mrpc.toml", "mrpc.toml:11: \"rank\" in [method.lora] must be 0 to 65536");
}

TEST_F(BadInput, AModelOfARunThatIsBad) {
  write("base/vocab.txt", good("base/vocab.txt") + "more\n");
  expect_failed_stage("mrpc.toml", "the vocabulary has 1853 tokens, config.json says 1852");
  write("base/vocab.txt", good("base/vocab.txt"));
  write("base/model.safetensors", good("base/model.safetensors").substr(0, 1000));
  expect_failed_stage("mrpc.toml", "the file is cut");
}

TEST_F(BadInput, ACorpusToPretrainOnThatIsNone) {
  write("pretrain.toml",
        "threads = 1\n[pretrain]\ncorpus = \"c.txt\"\nvocabulary = \"../model/vocab.txt\"\n");
  const BadContent cases[] = {
      {"", "corpus: no text to train on"},
      {"a\n\n\xff\n", "c.txt:3: invalid UTF-8"},
      {"a b\n", "c.txt: 1 documents are too few to hold 1 % of them out"},
  };
  for (const auto& [content, message] : cases) {
    write("data/c.txt", content);
    expect_failed_stage("pretrain.toml", message);
  }
  write("data/c.zst", "(\xb5/\xfd");
  write("pretrain.toml",
        "threads = 1\n[pretrain]\ncorpus = \"c.zst\"\n"
        "vocabulary = \"../model/vocab.txt\"\n");
  expect_failed_stage("pretrain.toml", "c.zst: cut short");
}

TEST_F(BadInput, AnExperimentThatIsNone) {
  std::string dotted = "a";
  for (int i = 0; i < 100'000; ++i) dotted += ".a";
  const BadContent cases[] = {
      {"", "bad.toml:1: nothing to do"},
      {"tasks = [\"mrpc\"\n", "bad.toml:"},
      {"# \xff\n", "bad.toml:1: "},
      {"a = " + std::string(100'000, '['), "bad.toml:1: "},
      {"\n" + dotted + " = 1\n", "bad.toml:2: a key of more than 16 parts"},
      {"[" + dotted + "]\n", "bad.toml:1: a key of more than 16 parts"},
      {good("mrpc.toml", "\"mrpc\"", "\"mrcp\""), "mrcp"},
      {good("mrpc.toml", "epochs", "epoch"), "unknown key \"epoch\" in [train]; did you mean"},
      {good("mrpc.toml", "epochs = 1", "epochs = 0"), "\"epochs\" in [train] must be"},
      {"[pretrain]\nhidden_act = \"tanh\"\n", "\"hidden_act\" in [pretrain] must be gelu"},
  };
  for (const auto& [content, message] : cases) {
    write("bad.toml", content);
    expect_refusal("run bad.toml", message);
  }
  expect_refusal("run mrpc.toml --set a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1", "more than 16 parts");
}

}  // namespace
}  // namespace basis::behaviour
