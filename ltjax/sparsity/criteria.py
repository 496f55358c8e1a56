from ltjax.sparsity.scores import *
from ltjax.sparsity.scores import SCORES as CRITERIA
