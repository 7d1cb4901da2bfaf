"""Embeddings with OpenAI's, Google's and Cohere's SDKs, unchanged, at providers of both forms."""

import struct
from base64 import b64encode

import openai
import pytest
from asks import strict
from conftest import remember
from google.genai import errors, types

TEXTS = ["How deep is the well?", "“wéll” 水"]


@pytest.fixture(params=["oai", "gem"])
def embedder(request, stack):
    """A model that embeds, at a provider of each form. The simulator knows no providers."""
    return stack.model(request.param, "embed")


def single(numbers):
    """The numbers as single precision has them."""
    return list(struct.unpack(f"<{len(numbers)}f", struct.pack(f"<{len(numbers)}f", *numbers)))


def base64_of(numbers):
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_openai_asks_for_base64_and_decodes_what_it_asked_for(oai, embedder):
    usual = oai.embeddings.create(model=embedder, input=TEXTS, dimensions=8)
    floats = strict(oai.embeddings.create(model=embedder, input=TEXTS, dimensions=8, encoding_format="float"))
    # What is asked for in so many words comes undecoded; the SDK's own type does not know it.
    base64 = oai.embeddings.create(model=embedder, input=TEXTS, dimensions=8, encoding_format="base64")
    assert usual.object == "list" and usual.model == "embed"
    assert [item.index for item in usual.data] == [0, 1]
    assert [len(item.embedding) for item in usual.data] == [8, 8]
    for one, two, three in zip(usual.data, floats.data, base64.data, strict=True):
        assert single(one.embedding) == single(two.embedding)
        assert base64_of(one.embedding) == three.embedding
    assert usual.usage == floats.usage and usual.usage.prompt_tokens == usual.usage.total_tokens > 0


def test_one_text_is_embedded_as_one_of_many_is(oai, embedder):
    one = oai.embeddings.create(model=embedder, input=TEXTS[0])
    many = oai.embeddings.create(model=embedder, input=TEXTS)
    assert one.data[0].embedding == many.data[0].embedding != many.data[1].embedding


def test_tokens_reach_who_reads_them(oai, stack):
    reply = oai.embeddings.create(model=stack.model("oai", "embed"), input=[[4438, 5655], [374]])
    assert len(reply.data) == 2 and reply.usage.prompt_tokens == 3


@pytest.mark.gateway
def test_tokens_are_refused_for_who_does_not(oai, stack):
    with pytest.raises(openai.BadRequestError) as caught:
        oai.embeddings.create(model=stack.model("gem", "embed"), input=[[4438, 5655], [374]])
    assert caught.value.code == "unsupported_parameter" and caught.value.param == "input[0]"


def test_what_is_wrong_is_an_exception_that_names_it(oai, embedder):
    with pytest.raises(openai.BadRequestError) as caught:
        oai.embeddings.create(model=embedder, input=[])
    assert caught.value.param == "input"


def test_google_gets_the_vectors_that_openai_gets(gem, oai, made, embedder, stack):
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=8)
    if not stack.direct and embedder.startswith("oai"):
        config.task_type = None
    reply = gem.models.embed_content(model=embedder, contents=TEXTS, config=config)
    remember(made, reply.sdk_http_response)
    vectors = [embedding.values for embedding in reply.embeddings]
    other = oai.embeddings.create(model=embedder, input=TEXTS, dimensions=8, encoding_format="float")
    assert [single(vector) for vector in vectors] == [single(item.embedding) for item in other.data]


@pytest.mark.gateway
def test_googles_mistakes_are_told_in_googles_words(gem, embedder):
    with pytest.raises(errors.ClientError) as caught:
        gem.models.embed_content(model="nobody/embed", contents="a")
    assert caught.value.code == 404 and caught.value.status == "NOT_FOUND"


@pytest.mark.gateway
@pytest.mark.parametrize("kind", ["float", "base64"])
def test_cohere_gets_the_vectors_that_openai_gets(coh, oai, embedder, kind):
    reply = coh.embed(
        model=embedder, texts=TEXTS, input_type="search_query", embedding_types=[kind], output_dimension=8
    )
    other = oai.embeddings.create(model=embedder, input=TEXTS, dimensions=8, encoding_format=kind)
    assert reply.response_type == "embeddings_by_type"
    vectors = reply.embeddings.float_ if kind == "float" else reply.embeddings.base64
    if kind == "float":
        assert [single(vector) for vector in vectors] == [single(item.embedding) for item in other.data]
    else:
        assert vectors == [item.embedding for item in other.data]
    assert reply.meta.billed_units.input_tokens == other.usage.prompt_tokens
