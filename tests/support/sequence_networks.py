"""Small networks over sequences: recurrent layers, attention, embedded tokens."""
import torch
import torch.nn.functional as F
from torch import nn

TIME, WORDS = 7, 11


class Block(nn.Module):
    """A pre-norm encoder layer that spells attention out in products, reshapes and a softmax."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)

    def split(self, x):
        return x.view(x.size(0), x.size(1), self.heads, x.size(2) // self.heads).transpose(1, 2)

    def forward(self, x):
        y = self.norm1(x)
        query, key, value = self.split(self.query(y)), self.split(self.key(y)), self.split(self.value(y))
        scores = query @ key.transpose(-1, -2) / query.size(-1) ** 0.5
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(x.shape)
        x = x + self.out(mixed)
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Encoder(nn.Module):
    """A small vision-transformer body: a class token, learnt positions, two layers."""

    def __init__(self, width=12, heads=3):
        super().__init__()
        self.embed = nn.Linear(6, width)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, TIME + 4, width))
        self.blocks = nn.Sequential(Block(width, heads), Block(width, heads))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 5)

    def forward(self, patches):
        x = self.embed(patches)
        x = torch.cat([self.token.expand(x.size(0), -1, -1), x], 1)
        x = self.blocks(x + self.position[:, :x.size(1)])
        return self.head(self.norm(x)[:, 0])


class Translator(nn.Module):
    """PyTorch's own layers: nn.TransformerEncoderLayer over embedded tokens, then F.scaled_dot_product_attention with a causal mask."""

    def __init__(self, width=8, heads=2):
        super().__init__()
        self.words = nn.Embedding(WORDS, width)
        self.positions = nn.Embedding(TIME, width)
        self.layer = nn.TransformerEncoderLayer(width, heads, 16, dropout=0.1, batch_first=True)
        self.mix = nn.MultiheadAttention(width, heads, batch_first=True)
        self.to_query, self.to_key, self.to_value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.head = nn.Linear(width, WORDS)

    def forward(self, tokens):
        x = self.words(tokens) + self.positions(torch.arange(tokens.size(1)))
        x = self.layer(x)
        x = x + self.mix(x, x, x, need_weights=False)[0]
        query, key, value = (layer(x).view(x.size(0), -1, 2, x.size(2) // 2).transpose(1, 2) for layer in (self.to_query, self.to_key, self.to_value))
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.head(attended.transpose(1, 2).reshape(x.shape))


class Tagger(nn.Module):
    """A tag for each token."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, 6)
        self.lstm = nn.LSTM(6, 10, batch_first=True)
        self.head = nn.Linear(10, 4)

    def forward(self, tokens):
        return self.head(self.lstm(self.words(tokens))[0])


class Classifier(nn.Module):
    """The last state of a GRU that starts from a learnt one."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.gru = nn.GRU(8, 9, batch_first=True)
        self.start = nn.Parameter(torch.randn(1, 1, 9))
        self.head = nn.Linear(9, 3)

    def forward(self, series):
        state = self.start.expand(-1, series.size(0), -1).contiguous()
        return self.head(self.gru(F.relu(self.embed(series)), state)[1][-1])


class Bidirectional(nn.Module):
    """Two layers in both directions; outputs of every step and the last states; a plain recurrent layer behind."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True, dropout=0.2)
        self.rnn = nn.RNN(12, 7, nonlinearity='relu', bias=False, batch_first=True)
        self.steps = nn.Linear(7, 2)
        self.whole = nn.Linear(12, 3)

    def forward(self, series):
        y, (state, _) = self.lstm(series)
        return self.steps(self.rnn(y)[0]), self.whole(torch.cat([state[-2], state[-1]], 1))


def unlike(kind):
    """The network with no two parameters alike: exporters merge equal ones."""
    network = kind()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, *((0.5, 1.5) if parameter.dim() == 1 else (-0.6, 0.6)))
    return network


def tokens(batch):
    return torch.randint(0, WORDS, (batch, TIME))


SEQUENCE_NETWORKS = {
    'encoder': (lambda: unlike(Encoder), {'patches': (TIME, 6)}, ['logits']),
    'translator': (lambda: unlike(Translator), {'tokens': tokens}, ['scores']),
    'tagger': (lambda: unlike(Tagger), {'tokens': tokens}, ['tags']),
    'classifier': (lambda: unlike(Classifier), {'series': (TIME, 5)}, ['logits']),
    'bidirectional': (lambda: unlike(Bidirectional), {'series': (TIME, 5)}, ['steps', 'whole']),
}
