//! In which forms vectors are asked for, and how servers read one form differently.
//!
//! Not every dialect of conversations has a form for vectors, and servers that embed need not converse: so these forms are
//! a set of their own, each of the family of a [`Dialect`].

use std::fmt;

use crate::Dialect;

/// A wire format for embeddings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EmbeddingFormat {
    /// OpenAI's `/v1/embeddings`, which most vendors and servers have taken over.
    /// <https://platform.openai.com/docs/api-reference/embeddings/create>
    Openai,
    /// Gemini's `embedContent`: one content, one vector. <https://ai.google.dev/api/embeddings>
    Gemini,
    /// Gemini's `batchEmbedContents`: a list of requests, each as of `embedContent`.
    GeminiBatch,
    /// The native `/embed` of Hugging Face's Text Embeddings Inference.
    /// <https://huggingface.github.io/text-embeddings-inference/>
    Tei,
    /// Cohere's `/v2/embed`. <https://docs.cohere.com/reference/embed>
    Cohere,
}

impl EmbeddingFormat {
    /// Every format, in the order of their declaration.
    pub const ALL: [Self; 5] = [Self::Openai, Self::Gemini, Self::GeminiBatch, Self::Tei, Self::Cohere];

    /// Its name in docs and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Gemini => "gemini",
            Self::GeminiBatch => "gemini_batch",
            Self::Tei => "tei",
            Self::Cohere => "cohere",
        }
    }

    /// The dialect whose family it is of: that which a record names. Servers that have `/embed` have OpenAI's form beside it.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Openai | Self::Tei => Dialect::OpenaiChat,
            Self::Gemini | Self::GeminiBatch => Dialect::Gemini,
            Self::Cohere => Dialect::Cohere,
        }
    }
}

impl fmt::Display for EmbeddingFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How one provider's reading of OpenAI's form differs. Data from the catalog; named flags, a test each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each flag stands for itself: any may come with any")]
pub struct EmbeddingQuirks {
    /// Its words for what a vector is made for.
    pub purpose: PurposeWords,
    /// It knows `output_dimension` and `output_dtype` in the place of `dimensions` (Mistral, Voyage).
    pub output_fields: bool,
    /// It knows `embedding_type` in the place of `encoding_format` and of a type of numbers (Jina).
    pub embedding_type: bool,
    /// It refuses to be asked for floats, which come where nothing is asked for (Voyage).
    pub unasked_floats: bool,
    /// It cannot write vectors in base64.
    pub floats_only: bool,
    /// It refuses an `encoding_format` of null (vLLM).
    pub no_null: bool,
    /// It takes texts only, no tokens.
    pub texts_only: bool,
}

/// Where and how a provider is told what a vector is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PurposeWords {
    /// Nobody knows what it takes: a server of one's own. Fields that other vendors have pass as they are written.
    #[default]
    Unknown,
    /// It cannot be told.
    None,
    /// `input_type`: `query` or `document` (Voyage).
    QueryDocument,
    /// `input_type`: `query` or `passage` (NVIDIA).
    QueryPassage,
    /// `task`: `retrieval.query`, `retrieval.passage`, `text-matching`, … (Jina).
    Tasks,
}
