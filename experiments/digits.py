"""The embedded default: LeNet-300-100 on scikit-learn's digits, five trials, about a minute.

    python -m ltjax.run

Real handwritten digits, small enough for two CPU cores, that show the paper's pattern: tickets stop
earlier than the dense network and are at least as accurate, until too little is left.
"""

from ltjax import Experiment

experiment = Experiment()
