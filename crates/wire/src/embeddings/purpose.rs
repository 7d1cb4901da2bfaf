//! What a vector is for, in each vendor's words.

use stepwell_types::PurposeWords;

/// What a vector is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To search with.
    Query,
    /// To be found.
    Document,
    /// To be compared with others of its kind.
    Similarity,
    /// To be classified.
    Classification,
    /// To be clustered.
    Clustering,
    /// A question, to find the text that answers it.
    QuestionAnswering,
    /// A statement, to find evidence for or against it.
    FactVerification,
    /// To search code with.
    CodeQuery,
    /// Code to be found.
    CodeDocument,
}

/// `input_type` of [Voyage](https://docs.voyageai.com/reference/embeddings-api),
/// [NVIDIA](https://docs.nvidia.com/nim/nemo-retriever/text-embedding/latest/reference.html) and, in OpenAI's form,
/// [Cohere](https://docs.cohere.com/reference/embed).
const INPUT_TYPES: &[(&str, Purpose)] = &[
    ("query", Purpose::Query),
    ("search_query", Purpose::Query),
    ("document", Purpose::Document),
    ("passage", Purpose::Document),
    ("search_document", Purpose::Document),
    ("classification", Purpose::Classification),
    ("clustering", Purpose::Clustering),
];

/// `task` of [Jina](https://api.jina.ai/openapi.json). Its models of each generation have another word for clustering, the
/// first for each purpose here is what is written.
const TASKS: &[(&str, Purpose)] = &[
    ("retrieval.query", Purpose::Query),
    ("retrieval.passage", Purpose::Document),
    ("text-matching", Purpose::Similarity),
    ("classification", Purpose::Classification),
    ("code.query", Purpose::CodeQuery),
    ("code.passage", Purpose::CodeDocument),
];

/// `task` words that are read and never written.
const TASKS_READ: &[(&str, Purpose)] =
    &[("separation", Purpose::Clustering), ("clustering", Purpose::Clustering)];

/// Gemini's `taskType`: <https://ai.google.dev/api/embeddings#v1beta.TaskType>. Code is found as any document is.
const TASK_TYPES: &[(&str, Purpose)] = &[
    ("RETRIEVAL_QUERY", Purpose::Query),
    ("RETRIEVAL_DOCUMENT", Purpose::Document),
    ("RETRIEVAL_DOCUMENT", Purpose::CodeDocument),
    ("SEMANTIC_SIMILARITY", Purpose::Similarity),
    ("CLASSIFICATION", Purpose::Classification),
    ("CLUSTERING", Purpose::Clustering),
    ("QUESTION_ANSWERING", Purpose::QuestionAnswering),
    ("FACT_VERIFICATION", Purpose::FactVerification),
    ("CODE_RETRIEVAL_QUERY", Purpose::CodeQuery),
];

fn of(words: &[(&str, Purpose)], word: &str) -> Option<Purpose> {
    words.iter().find(|(known, _)| *known == word).map(|(_, purpose)| *purpose)
}

fn word(words: &[(&'static str, Purpose)], purpose: Purpose) -> Option<&'static str> {
    words.iter().find(|(_, known)| *known == purpose).map(|(word, _)| *word)
}

impl Purpose {
    pub(super) fn of_input_type(word: &str) -> Option<Self> {
        of(INPUT_TYPES, word)
    }

    pub(super) fn of_task(word: &str) -> Option<Self> {
        of(TASKS, word).or_else(|| of(TASKS_READ, word))
    }

    pub(super) fn of_task_type(word: &str) -> Option<Self> {
        of(TASK_TYPES, word)
    }

    pub(super) fn as_task_type(self) -> Option<&'static str> {
        word(TASK_TYPES, self)
    }

    /// Cohere's `input_type`, and whether it says the purpose, and not only what comes next to it.
    pub(super) const fn as_cohere(self) -> (&'static str, bool) {
        match self {
            Self::Query => ("search_query", true),
            Self::Document => ("search_document", true),
            Self::Classification => ("classification", true),
            Self::Clustering => ("clustering", true),
            Self::CodeDocument | Self::Similarity => ("search_document", false),
            Self::QuestionAnswering | Self::FactVerification | Self::CodeQuery => ("search_query", false),
        }
    }

    /// The field and the word a provider of OpenAI's form has for it, if it has one.
    pub(super) fn as_field(self, words: PurposeWords) -> Option<(&'static str, &'static str)> {
        match (words, self) {
            (PurposeWords::QueryDocument | PurposeWords::QueryPassage, Self::Query) => {
                Some(("input_type", "query"))
            }
            (PurposeWords::QueryDocument, Self::Document) => Some(("input_type", "document")),
            (PurposeWords::QueryPassage, Self::Document) => Some(("input_type", "passage")),
            (PurposeWords::Tasks, purpose) => word(TASKS, purpose).map(|word| ("task", word)),
            _ => None,
        }
    }
}
